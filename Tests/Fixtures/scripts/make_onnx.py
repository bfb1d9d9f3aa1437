"""Writes Tests/Fixtures/onnx/tiny.onnx with onnx's own helpers: run with onnx 1.23 in this folder."""

import pathlib

from onnx import TensorProto, checker, helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def floats(name, shape, values):
    import struct

    return helper.make_tensor(name, FLOAT, shape, struct.pack(f"<{len(values)}f", *values), raw=True)


def node(operation, inputs, output, **attributes):
    # Attributes in the order in which they are given; helper.make_node sorts them.
    made = helper.make_node(operation, inputs, [output], name=output)
    made.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
    return made


graph = helper.make_graph(
    [
        node("MatMul", ["x", "w"], "product"),
        node("Add", ["product", "shift"], "sum"),
        node("Reshape", ["sum", "integers/-1_2"], "flat", allowzero=0),
        node("LpNormalization", ["flat"], "norm", axis=-1, p=2),
        node("Elu", ["norm"], "scaled", alpha=0.25),
        node("Transpose", ["scaled"], "turned", perm=[1, 0]),
        helper.make_node("Identity", ["turned"], ["y"], name="y"),
    ],
    "tiny",
    [helper.make_tensor_value_info("x", FLOAT, ["batch", 2])],
    [helper.make_tensor_value_info("y", FLOAT, [2, "batch"])],
    [
        floats("w", [2, 2], [1, -2, 0.5, 3]),
        floats("shift", [2], [1, 2]),
        helper.make_tensor("integers/-1_2", INT64, [2], b"\xff" * 8 + (2).to_bytes(8, "little"), raw=True),
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="vifi-prompt", producer_version="1")
helper.set_model_props(model, {"a": "é", "b": "2"})
checker.check_model(model, full_check=True)
(pathlib.Path(__file__).parent.parent / "onnx" / "tiny.onnx").write_bytes(model.SerializeToString(deterministic=True))
