#!/bin/sh
# Opened for reading too, so that the write cannot wait for a reader.
fifo=/run/lvs-aws/vrrp.fifo
[ -p "$fifo" ] && echo 'INSTANCE "LVS" STOP 0' 1<>"$fifo"
[ -e /run/lvs-aws/penalty.before ] && mv -f /run/lvs-aws/penalty.before /run/lvs-aws/penalty
exit 0
