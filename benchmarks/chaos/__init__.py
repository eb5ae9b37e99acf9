"""Chaos: a real system under load, one fault after the other, and a ledger on the outside.

`system` starts the processes, `faults` draws what is done to them from the seed, `outside` takes
part as devices of its own, `hearing` notices when service is back, `memory` weighs the processes,
`books` compares at the end what was acknowledged with what the streams hold, `run` conducts.
"""
