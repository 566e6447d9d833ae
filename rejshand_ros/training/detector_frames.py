"""Training frames for the detector: photographs moved, turned, scaled, mixed and recoloured."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ModelFileError
from rejshand_ros.training.detector_data import LabelledHand, Photograph
from rejshand_ros.training.detector_network import INPUT_HEIGHT, INPUT_WIDTH, STRIDE

_SHARES = {
    "indoor_outdoor": 0.3,
    "egocentric": 0.13,
    "many_people": 0.13,
    "letters": 0.08,
    "digits": 0.08,
    "rendered": 0.28,
}
"""Share of each collection among the hands drawn, however many pictures it has."""


_CLOSE_UPS = ("digits", "rendered")
"""Collections of one hand and little around it: no frames of a camera."""


class DetectorFrames:
    """Endless random training frames from photographs.

    Args:
        photographs: What to draw from.
        seed: Of the random choices.
    """

    def __init__(self, photographs: list[Photograph], seed: int) -> None:
        self._photographs = photographs
        self._rng = np.random.default_rng(seed)
        folders = [p.folder for p in photographs]
        weights = np.array([_SHARES[folder] / folders.count(folder) for folder in folders])
        self._chances = weights / weights.sum()
        self._parts = self._parts_without_hands(1500)

    def batch(self, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Images (N, 3, H, W) as RGB/255 - 0.5 and dense targets (N, 9, H/8, W/8)."""
        pairs = [self.frame() for _ in range(size)]
        images = np.stack([image for image, _ in pairs])[..., ::-1].transpose(0, 3, 1, 2)
        batch = np.ascontiguousarray(images, np.float32) / 255.0 - 0.5
        return batch, np.stack([dense_target(hands) for _, hands in pairs])

    def frame(self) -> tuple[NDArray[np.uint8], list[LabelledHand]]:
        """One recoloured frame of the detector's input size, BGR, and the hands in it."""
        rng = self._rng
        canvas = self._background()
        if rng.random() < 0.5:
            canvas = self._decoy(canvas)
        hands: list[LabelledHand] = []
        count = 1 if rng.random() < 0.8 else 2
        if rng.random() < 0.08:
            count = 0
        for _ in range(count):
            photograph = self._photographs[rng.choice(len(self._photographs), p=self._chances)]
            whole = rng.random() < 0.7 and photograph.folder not in _CLOSE_UPS
            canvas, hands = self._paste(canvas, hands, photograph, whole)
        return self._recolour(canvas), hands

    def _background(self) -> NDArray[np.uint8]:
        """A picture without hands: a part of a photograph beside its hands, or plain noise."""
        rng = self._rng
        shape = (INPUT_HEIGHT, INPUT_WIDTH)
        if rng.random() < 0.1:
            small = rng.integers(0, 255, (*rng.integers(1, 6, 2), 3)).astype(np.float32)
            small = small.mean(-1, keepdims=True) * 0.7 + small * 0.3
            plain = cv2.resize(small, shape[::-1], interpolation=cv2.INTER_LINEAR)
            return np.asarray(plain, np.uint8)
        part = self._parts[rng.integers(len(self._parts))]
        part = np.asarray(cv2.resize(part, shape[::-1]), np.uint8)
        return np.asarray(part[:, ::-1] if rng.random() < 0.5 else part, np.uint8)

    def _parts_without_hands(self, count: int) -> list[NDArray[np.uint8]]:
        """Parts of full scenes that lie beside every hand in them."""
        rng = self._rng
        scenes = [p for p in self._photographs if p.folder in ("indoor_outdoor", "egocentric")]
        parts: list[NDArray[np.uint8]] = []
        for _ in range(count * 40 if scenes else 0):
            p = scenes[rng.integers(len(scenes))]
            height, width = p.image.shape[:2]
            w = int(rng.uniform(0.2, 0.8) * width)
            h = min(height, int(w * rng.uniform(0.6, 1.5)))
            x, y = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
            beside = all(
                not (x - 0.55 * q.side_px < q.centre[0] < x + w + 0.55 * q.side_px)
                or not (y - 0.55 * q.side_px < q.centre[1] < y + h + 0.55 * q.side_px)
                for q in p.hands
            )
            if beside:
                parts.append(p.image[y : y + h, x : x + w])
            if len(parts) == count:
                break
        if not parts:
            raise ModelFileError("no photograph of a whole scene among those given")
        return parts

    def _decoy(self, canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Paste a piece without a hand, so that a seam alone says nothing."""
        rng = self._rng
        part = self._parts[rng.integers(len(self._parts))]
        side = int(np.exp(rng.uniform(np.log(20), np.log(110))))
        mask = np.zeros((side, side), np.float32)
        if rng.random() < 0.5:
            cv2.circle(mask, (side // 2, side // 2), side // 2 - 1, 1.0, -1)
        else:
            mask[:] = 1.0
        blur = max(0.3, side * float(rng.choice([0.005, 0.02, 0.05])))
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), blur), np.float32)
        move = np.column_stack([_rotation(rng.uniform(-np.pi, np.pi)), np.zeros(2)])
        move[:, 2] = rng.uniform([0, 0], [INPUT_WIDTH, INPUT_HEIGHT]) - move[:, :2] @ (
            side / 2,
            side / 2,
        )
        size = (INPUT_WIDTH, INPUT_HEIGHT)
        moved = cv2.warpAffine(cv2.resize(part, (side, side)), move, size)
        alpha = cv2.warpAffine(mask, move, size)[..., None]
        return np.asarray(canvas * (1 - alpha) + moved * alpha, np.uint8)

    def _paste(
        self,
        canvas: NDArray[np.uint8],
        hands: list[LabelledHand],
        photograph: Photograph,
        whole: bool,
    ) -> tuple[NDArray[np.uint8], list[LabelledHand]]:
        """Move a photograph (or a piece around one hand) onto the canvas."""
        rng = self._rng
        chosen = photograph.hands[rng.integers(len(photograph.hands))]
        side = float(np.exp(rng.uniform(np.log(18), np.log(130))))
        turned = rng.random() < (0.35 if whole else 0.5)
        if whole and not hands and rng.random() < 0.8:
            # As the camera saw it: the photograph about fills the frame.
            fit = max(
                INPUT_WIDTH / photograph.image.shape[1], INPUT_HEIGHT / photograph.image.shape[0]
            )
            side = min(chosen.side_px * fit * float(np.exp(rng.normal(0.0, 0.3))), 140.0)
        elif hands:
            side = min(side, 70.0)
        scale = side / chosen.side_px
        angle = rng.uniform(-np.pi, np.pi) if turned else rng.normal(0, 0.2)
        flip = rng.random() < 0.5
        stretch = np.exp(rng.normal(0, 0.06))
        linear = scale * _rotation(angle) @ np.diag([-stretch if flip else stretch, 1.0])
        reach = 0.35 * side
        target = rng.uniform([reach, reach], [INPUT_WIDTH - reach, INPUT_HEIGHT - reach])
        if whole and not turned:
            # Near where it was, so that the photograph still covers the frame.
            shape = np.array(photograph.image.shape[1::-1])
            wanted = (chosen.centre / shape - 0.5) * (INPUT_WIDTH, INPUT_HEIGHT)
            wanted = np.array([INPUT_WIDTH, INPUT_HEIGHT]) / 2 + wanted * ([-1, 1] if flip else 1)
            target = np.clip(
                wanted + rng.normal(0, 12, 2), reach, (INPUT_WIDTH - reach, INPUT_HEIGHT - reach)
            )
        move = np.column_stack([linear, target - linear @ chosen.centre])
        height, width = photograph.image.shape[:2]
        mask = np.zeros((height, width), np.float32)
        if whole:
            mask[:] = 1.0
        else:
            # Without a seam that gives the hand away: a soft round piece, sometimes a hard one.
            radii = np.array([0.62, 0.62]) * chosen.side_px * rng.uniform(0.95, 1.3)
            cv2.ellipse(
                mask, tuple(chosen.centre.astype(int).tolist()),
                tuple(radii.astype(int).tolist()), 0, 0, 360, 1.0, -1,
            )  # fmt: skip
            if photograph.folder == "digits" and rng.random() < 0.85:
                mask *= _foreground(photograph.image)
            blur = chosen.side_px * rng.choice([0.005, 0.02, 0.06])
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(blur, 0.3)), np.float32)
        size = (INPUT_WIDTH, INPUT_HEIGHT)
        shrunk = photograph.image
        if scale < 0.5:
            width = int(0.6 / scale)
            shrunk = np.asarray(cv2.blur(shrunk, (width, width)), np.uint8)
        moved = cv2.warpAffine(shrunk, move, size, borderMode=cv2.BORDER_REPLICATE)
        alpha = np.asarray(cv2.warpAffine(mask, move, size), np.float32)[..., None]
        canvas = (canvas * (1 - alpha) + moved * alpha).astype(np.uint8)
        # A later piece may hide an earlier hand.
        kept = [h for h in hands if _sample(alpha[..., 0], h.centre) < 0.3]
        for hand in photograph.hands:
            centre = move[:, :2] @ hand.centre + move[:, 2]
            if _sample(alpha[..., 0], centre) < 0.5:
                continue
            up = None
            if hand.up is not None:
                up = linear @ hand.up
                up = up / np.linalg.norm(up)
            right = hand.right if hand.right is None or not flip else not hand.right
            kept.append(LabelledHand(centre, hand.side_px * scale, up, right, hand.exact))
        return canvas, kept

    def _recolour(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Light, colour, blur and noise as cameras differ in them."""
        rng = self._rng
        picture = image.astype(np.float32) / 255.0
        if rng.random() < 0.15:
            picture = np.repeat(picture.mean(-1, keepdims=True), 3, -1)
        picture = picture ** np.exp(rng.normal(0, 0.35))
        contrast, light = np.exp(rng.normal(0, 0.25)), rng.normal(0, 0.12)
        tint = np.exp(rng.normal(0, 0.12, 3)).astype(np.float32)
        picture = ((picture - 0.5) * contrast + 0.5 + light) * tint
        if rng.random() < 0.3:
            picture = np.asarray(
                cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.3)), np.float32
            )
        if rng.random() < 0.15:
            length = int(rng.integers(3, 8))
            kernel = np.zeros((length, length), np.float32)
            kernel[length // 2] = 1.0 / length
            kernel = kernel if rng.random() < 0.5 else kernel.T
            picture = np.asarray(cv2.filter2D(picture, -1, kernel), np.float32)
        if rng.random() < 0.5:
            picture = picture + rng.normal(0, rng.uniform(0, 0.05), picture.shape)
        return np.asarray(np.clip(picture * 255, 0, 255), np.uint8)


def dense_target(hands: list[LabelledHand]) -> NDArray[np.float32]:
    """What `detector_loss` wants (9, H/8, W/8) for the hands of one frame."""
    rows, columns = INPUT_HEIGHT // STRIDE, INPUT_WIDTH // STRIDE
    target = np.zeros((9, rows, columns), np.float32)
    target[8] = 1.0
    y, x = np.mgrid[:rows, :columns]
    best = np.zeros((rows, columns))
    for hand in hands:
        inside = np.all((hand.centre > 0) & (hand.centre < (INPUT_WIDTH, INPUT_HEIGHT)))
        # Cell (0, 0) covers pixels 0..7: its centre is pixel 3.5.
        cell = (hand.centre - (STRIDE - 1) / 2) / STRIDE
        side = hand.side_px / STRIDE
        distance = (x - cell[0]) ** 2 + (y - cell[1]) ** 2
        if not inside or side < 1.2 or side > 0.95 * columns:
            # Too small, too large or cut: neither demanded nor punished.
            target[8][distance < (0.7 * side) ** 2] = 0.0
            continue
        sigma = max(0.09 * side, 0.55)
        heat = np.exp(-distance / (2 * sigma**2))
        nearest = np.clip(np.round(cell).astype(int), 0, (columns - 1, rows - 1))
        heat[nearest[1], nearest[0]] = 1.0
        target[0] = np.maximum(target[0], heat)
        near = (heat > 0.4) & (heat > best)
        best[near] = heat[near]
        target[1][near], target[2][near] = (cell[0] - x)[near], (cell[1] - y)[near]
        target[3][near] = np.log(hand.side_px / INPUT_WIDTH)
        known = hand.exact and hand.up is not None and hand.right is not None
        if known and hand.up is not None:
            target[4][near], target[5][near] = hand.up
            target[6][near] = float(bool(hand.right))
        target[7][near] = heat[near] if known else 0.0
    return target


def _rotation(angle: float) -> NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def _sample(mask: NDArray[np.float32], point: NDArray[np.float64]) -> float:
    """Value of a mask at a pixel, 0 outside."""
    x, y = np.round(point).astype(int).tolist()
    height, width = mask.shape
    return float(mask[y, x]) if 0 <= x < width and 0 <= y < height else 0.0


def _foreground(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What stands out from a plain background, by its distance from the border's colour."""
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB).astype(np.float32)
    border = np.concatenate([lab[:6].reshape(-1, 3), lab[:-20, :4].reshape(-1, 3)])
    distance = np.linalg.norm((lab - np.median(border, 0)) * (0.6, 1.3, 1.3), axis=-1)
    level, _ = cv2.threshold(
        np.clip(distance * 3, 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU
    )
    mask = (distance * 3 > level).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.asarray(mask, np.float32)
