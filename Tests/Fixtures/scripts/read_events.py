"""Prints the numbers of an event file as TensorBoard reads them, a JSON object of tags to [step, value] pairs.

    python read_events.py FILE
"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
events.Reload()
print(json.dumps({tag: [[event.step, event.value] for event in events.Scalars(tag)] for tag in sorted(events.Tags()["scalars"])}))
