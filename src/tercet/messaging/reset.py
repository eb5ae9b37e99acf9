"""Erase all training data: experience, planning jobs, parameters and the pinned version."""

from __future__ import annotations

from tercet.messaging.bus import Bus

TRAINING_STREAMS = ("EXPERIENCE", "PLANNED", "PLAN", "PARAMETERS")
"""Streams of training data and of the parameters trained from it."""


async def erase_training_data(bus: Bus) -> int:
    """Purge the training streams and the pointers to parameters; return the messages deleted.

    The streams' sequence numbers continue, so a new message is never taken for an old one.
    """
    count = 0
    for name in TRAINING_STREAMS:
        count += (await bus.js.stream_info(name)).state.messages
        await bus.js.purge_stream(name)
    # The bucket's stream rather than its keys: a deleted key would leave a marker behind.
    await bus.js.purge_stream("KV_parameters")
    # A pinned version no longer exists.
    await bus.js.purge_stream("KV_control", subject="$KV.control.policy")
    return count
