"""Frames on a stream as QEMU's `-netdev stream` sends them: four bytes of length, big-endian, then the frame."""

from __future__ import annotations

# QEMU's NET_BUFSIZE (include/net/net.h): no network card sends more.
FRAME_LIMIT = 4096 + 65536


class FramingError(ValueError):
    """The peer does not speak the framing; `start` are the bytes it said instead."""

    def __init__(self, text: str, start: bytes) -> None:
        super().__init__(text)
        self.start = start


def packed(frame: bytes) -> bytes:
    """A frame as it goes onto the stream."""
    return len(frame).to_bytes(4) + frame


class FrameReader:
    """Cuts what arrives into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete now. Raises FramingError for a length no card sends."""
        buffer = self._rest + data if self._rest else data
        frames = []
        at, end = 0, len(buffer)
        while end - at >= 4:
            length = int.from_bytes(buffer[at : at + 4])
            if length > FRAME_LIMIT:
                raise FramingError(
                    f"a frame of {length} bytes, {FRAME_LIMIT} is the most QEMU sends", buffer[at : at + FRAME_LIMIT]
                )
            after = at + 4 + length
            if after > end:
                break
            frames.append(buffer[at + 4 : after])
            at = after
        self._rest = buffer[at:]
        return frames
