"""The lab's machines: the image they boot, QEMU, and the channel into a guest."""
