"""What colour a seen point has: materials, noise, solid texture, lights and shadow, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _noise(volume, x, y, z):  # type: ignore[no-untyped-def]
    """Trilinear sample of the periodic volume at cell coordinates."""
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    mask = volume.shape[0] - 1
    i, j, k = int(fx) & mask, int(fy) & mask, int(fz) & mask
    i1, j1, k1 = (i + 1) & mask, (j + 1) & mask, (k + 1) & mask
    tx, ty, tz = np.float32(x - fx), np.float32(y - fy), np.float32(z - fz)
    a = volume[i, j, k] + tz * (volume[i, j, k1] - volume[i, j, k])
    b = volume[i, j1, k] + tz * (volume[i, j1, k1] - volume[i, j1, k])
    c = volume[i1, j, k] + tz * (volume[i1, j, k1] - volume[i1, j, k])
    d = volume[i1, j1, k] + tz * (volume[i1, j1, k1] - volume[i1, j1, k])
    a += ty * (b - a)
    c += ty * (d - c)
    return a + tx * (c - a)


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _solid(volume, origin, scale, x, y, z, out):  # type: ignore[no-untyped-def]
    """Trilinear sample of the four channels, clamped to the volume's edge, 0..1."""
    px = min(max((x - origin[0]) * scale, 0.0), volume.shape[0] - 1.001)
    py = min(max((y - origin[1]) * scale, 0.0), volume.shape[1] - 1.001)
    pz = min(max((z - origin[2]) * scale, 0.0), volume.shape[2] - 1.001)
    i, j, k = int(px), int(py), int(pz)
    tx, ty, tz = np.float32(px - i), np.float32(py - j), np.float32(pz - k)
    for c in range(4):
        a = volume[i, j, k, c] * (1 - tz) + volume[i, j, k + 1, c] * tz
        b = volume[i, j + 1, k, c] * (1 - tz) + volume[i, j + 1, k + 1, c] * tz
        d = volume[i + 1, j, k, c] * (1 - tz) + volume[i + 1, j, k + 1, c] * tz
        e = volume[i + 1, j + 1, k, c] * (1 - tz) + volume[i + 1, j + 1, k + 1, c] * tz
        a += ty * (b - a)
        d += ty * (e - d)
        out[c] = (a + tx * (d - a)) * np.float32(1.0 / 255.0)


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _lit(shadow, frame, px, py, pz):  # type: ignore[no-untyped-def]
    """Share of the key light that reaches a point: four neighbouring shadow samples, blended."""
    x = frame[0, 0] * px + frame[0, 1] * py + frame[0, 2] * pz + frame[0, 3]
    y = frame[1, 0] * px + frame[1, 1] * py + frame[1, 2] * pz + frame[1, 3]
    z = frame[2, 0] * px + frame[2, 1] * py + frame[2, 2] * pz + frame[2, 3]
    size = shadow.shape[0]
    if x < 0.0 or y < 0.0 or x >= size - 1.001 or y >= size - 1.001:
        return np.float32(1.0)
    i, j = int(x), int(y)
    tx, ty = np.float32(x - i), np.float32(y - j)
    one, zero = np.float32(1.0), np.float32(0.0)
    a = one if z <= shadow[j, i] else zero
    b = one if z <= shadow[j, i + 1] else zero
    c = one if z <= shadow[j + 1, i] else zero
    d = one if z <= shadow[j + 1, i + 1] else zero
    a += tx * (b - a)
    c += tx * (d - c)
    return a + ty * (c - a)


@njit(cache=True, nogil=True, fastmath=True)
def shade(  # type: ignore[no-untyped-def]
    face_id, inverse_depth, edges, camera, samples, vertices, normals, texture, colours, faces,
    face_object, materials, lights, noise, solid, solid_origin, solid_scale, shadow, shadow_frame,
    rgb, alpha, depth, object_id,
):  # fmt: skip
    """Shade each pixel once for every object seen in it (as multisampling does).

    Args:
        face_id: (H * samples, W * samples) from `visibility.rasterise`; so inverse_depth, edges.
        inverse_depth: Same shape.
        edges: (F, 9).
        camera: (4,) fx, fy, cx, cy.
        samples: Samples along each edge of a pixel.
        vertices: (N, 3) camera axes; so normals.
        normals: (N, 3).
        texture: (N, 3) metres.
        colours: (N, 3) linear RGB.
        faces: (F, 3).
        face_object: (F,) row of `materials` and the number written to `object_id`.
        materials: (O, 16) columns as the fields of `mesh.Material`.
        lights: (7, 3) rows as the fields of `mesh.Light`.
        noise: (64, 64, 64).
        solid: (X, Y, Z, 4) uint8.
        solid_origin: (3,) metres.
        solid_scale: Voxels a metre.
        shadow: (S, S) distance along the light's rays of what it meets first.
        shadow_frame: (3, 4) camera axes to shadow column, row and distance (less a bias).
        rgb: (H, W, 3) float32, written: 0..1, gamma 2, times coverage.
        alpha: (H, W) float32, written: share of the pixel that is covered.
        depth: (H, W) float32, written: metres of the nearest sample, inf where nothing is.
        object_id: (H, W) int32, written: object with most samples, -1 where nothing is.
    """
    height, width = alpha.shape
    count = samples * samples
    share = np.float32(1.0 / count)
    seen_object = np.empty(count, np.int64)
    seen_row = np.empty(count, np.int64)
    seen_column = np.empty(count, np.int64)
    seen_weight = np.empty(count, np.int64)
    marks = np.zeros(4, np.float32)
    albedo = np.zeros(3, np.float32)
    zero, one = np.float32(0.0), np.float32(1.0)
    for row in range(height):
        for column in range(width):
            seen = 0
            nearest = zero
            for s in range(samples):
                for t in range(samples):
                    j, i = row * samples + s, column * samples + t
                    f = face_id[j, i]
                    if f < 0:
                        continue
                    nearest = max(nearest, inverse_depth[j, i])
                    number = face_object[f]
                    known = False
                    for q in range(seen):
                        if seen_object[q] == number:
                            seen_weight[q] += 1
                            known = True
                    if not known:
                        seen_object[seen], seen_weight[seen] = number, 1
                        seen_row[seen], seen_column[seen] = j, i
                        seen += 1
            red, green, blue, cover = zero, zero, zero, zero
            best = 0
            winner = -1
            for q in range(seen):
                if seen_weight[q] > best:
                    best, winner = seen_weight[q], seen_object[q]
                j, i = seen_row[q], seen_column[q]
                f = face_id[j, i]
                u = (i + 0.5) / samples - 0.5
                v = (j + 0.5) / samples - 0.5
                z = 1.0 / inverse_depth[j, i]
                w0 = np.float32((edges[f, 0] * u + edges[f, 1] * v + edges[f, 2]) * z)
                w1 = np.float32((edges[f, 3] * u + edges[f, 4] * v + edges[f, 5]) * z)
                w2 = one - w0 - w1
                a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
                px = np.float32((u - camera[2]) / camera[0] * z)
                py = np.float32((v - camera[3]) / camera[1] * z)
                pz = np.float32(z)
                nx = w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]
                ny = w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]
                nz = w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]
                tx = w0 * texture[a, 0] + w1 * texture[b, 0] + w2 * texture[c, 0]
                ty = w0 * texture[a, 1] + w1 * texture[b, 1] + w2 * texture[c, 1]
                tz = w0 * texture[a, 2] + w1 * texture[b, 2] + w2 * texture[c, 2]
                for k in range(3):
                    albedo[k] = w0 * colours[a, k] + w1 * colours[b, k] + w2 * colours[c, k]
                m = materials[seen_object[q]]
                specular = m[1]
                # Fine and coarse noise on the colour, the fine one also as relief.
                tone = one
                if m[4] > 0 or m[15] > 0:
                    g = m[3]
                    fine = _noise(noise, tx * g, ty * g, tz * g)
                    tone += m[4] * fine
                    if m[15] > 0:
                        nx += m[15] * _noise(noise, tx * g + 17.3, ty * g, tz * g)
                        ny += m[15] * _noise(noise, tx * g, ty * g + 31.7, tz * g)
                if m[6] > 0:
                    g = m[5]
                    tone += m[6] * _noise(noise, tx * g + 7.1, ty * g + 3.9, tz * g + 5.3)
                if m[7] > 0:
                    phase = tz * m[7]
                    if phase - np.floor(phase) < 0.5:
                        tone *= one + m[8]
                for k in range(3):
                    albedo[k] *= tone
                if m[10] > 0:
                    _solid(solid, solid_origin, solid_scale, tx, ty, tz, marks)
                    dark = one - m[11] * marks[0]
                    red_shift = m[12] * (marks[1] - np.float32(0.35))
                    pale = one + m[14] * marks[3]
                    nail = marks[2] * m[13]
                    albedo[0] *= (dark * np.float32(0.15) + np.float32(0.85)) * dark * pale
                    albedo[1] *= dark * pale * (one - red_shift)
                    albedo[2] *= dark * pale * (one - red_shift)
                    if nail > 0:
                        lift = np.float32(0.5) * nail
                        albedo[0] += lift * (np.float32(0.75) - albedo[0])
                        albedo[1] += lift * (np.float32(0.52) - albedo[1])
                        albedo[2] += lift * (np.float32(0.48) - albedo[2])
                        specular += np.float32(0.35) * nail
                length = one / np.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-12))
                nx, ny, nz = nx * length, ny * length, nz * length
                far = one / np.sqrt(px * px + py * py + pz * pz)
                vx, vy, vz = -px * far, -py * far, -pz * far
                if nx * vx + ny * vy + nz * vz < 0 and m[10] == 0:
                    nx, ny, nz = -nx, -ny, -nz
                lx, ly, lz = lights[0, 0], lights[0, 1], lights[0, 2]
                key = nx * lx + ny * ly + nz * lz
                fill = nx * lights[2, 0] + ny * lights[2, 1] + nz * lights[2, 2]
                open_ = _lit(shadow, shadow_frame, px, py, pz) if key > -0.3 else one
                hx, hy, hz = lx + vx, ly + vy, lz + vz
                half = (nx * hx + ny * hy + nz * hz) / np.sqrt(
                    hx * hx + hy * hy + hz * hz + np.float32(1e-9)
                )
                gloss = zero
                if half > 0 and key > 0:
                    gloss = specular * half ** m[2] * open_
                above = np.float32(0.5) + np.float32(0.5) * (
                    nx * lights[4, 0] + ny * lights[4, 1] + nz * lights[4, 2]
                )
                weight = share * seen_weight[q]
                cover += weight
                for k in range(3):
                    wrap = m[0] + m[9] * (one if k == 0 else np.float32(0.3))
                    lit = max(zero, (key + wrap) / (one + wrap)) * open_
                    soft = max(zero, (fill + wrap) / (one + wrap))
                    ambient = lights[6, k] + above * (lights[5, k] - lights[6, k])
                    light = lights[1, k] * lit + lights[3, k] * soft + ambient
                    value = max(zero, albedo[k]) * light + lights[1, k] * gloss
                    if value > 0.6:  # Bright tones roll off as in a camera instead of clipping.
                        value = one - np.float32(0.4) * np.exp((np.float32(0.6) - value) * 2.5)
                    value = np.sqrt(value) * weight
                    if k == 0:
                        red += value
                    elif k == 1:
                        green += value
                    else:
                        blue += value
            rgb[row, column, 0], rgb[row, column, 1], rgb[row, column, 2] = red, green, blue
            alpha[row, column] = cover
            depth[row, column] = one / nearest if nearest > 0 else np.float32(np.inf)
            object_id[row, column] = winner
