"""Writes Tests/Fixtures/tensorboard/events.bin with TensorBoard's own writer: run with tensorboard 2.21 in this folder."""

import pathlib

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def event(time, step, **values):
    return Event(
        wall_time=time, step=step,
        summary=Summary(value=[Summary.Value(tag=tag.replace("__", "/"), simple_value=value) for tag, value in values.items()]))


with open(pathlib.Path(__file__).parent.parent / "tensorboard" / "events.bin", "wb") as file:
    writer = RecordWriter(file)
    writer.write(Event(wall_time=1700000000.25, file_version="brain.Event:2").SerializeToString())
    writer.write(event(1700000000.25, 1, step__loss=2.5, step__learning_rate=1e-3).SerializeToString())
    writer.write(event(1700000001.5, 300, step__loss=1.25, step__learning_rate=5e-4).SerializeToString())
    writer.write(event(1700000002.0, 300, epoch__val_top1=75.0).SerializeToString())
