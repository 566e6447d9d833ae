"""Runs MediaPipe Hands over a video in an environment of its own, a frame a request.

Standard input: any line asks for the next frame. Standard output: a line of JSON with the time
that it took and whether a hand was found. This file imports nothing of the project.
"""

import json
import sys
import time

import cv2
import mediapipe


def main():
    """Answer until the input or the video ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    video = cv2.VideoCapture(sys.argv[1])
    hands = mediapipe.solutions.hands.Hands(max_num_hands=1)
    for _ in sys.stdin:
        good, frame = video.read()
        if not good:
            break
        begin = time.perf_counter()
        result = hands.process(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        seconds = time.perf_counter() - begin
        answer = {"seconds": seconds, "found": bool(result.multi_hand_landmarks)}
        print(json.dumps(answer), file=answers, flush=True)


main()
