import jax
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.studies.receptive_fields import receptive_fields

# Of each layer what comes between it and the layer before: size, stride, pixels of padding before.
_POOL = (2, 2, 0)
_CONV3, _CONV5, _CONV7 = (3, 1, 1), (5, 1, 2), (7, 1, 3)
# SAME pooling by 3 at stride 2 pads behind only; two blocks of two convolutions follow.
_STACK = [_CONV3, (3, 2, 0), *[_CONV3] * 4]
_CHAINS = {
    "clear": {
        "1a": [_CONV7],
        "2a": [_POOL, _CONV5],
        "2b": [_CONV5],
        "3a": [_POOL, _CONV5],
        "4a": [_POOL, _CONV5],
    },
    "impala": {"stack1": _STACK, "stack2": _STACK, "stack3": _STACK},
    "nature": {"conv1": [(8, 4, 0)], "conv2": [(4, 2, 0)], "conv3": [(3, 1, 0)]},
}


def by_arithmetic(name):
    """Fields from kernel sizes and strides, cut by the frame."""
    begin, size, stride = 0, 1, 1
    fields = {}
    for layer, operations in _CHAINS[name].items():
        for kernel, step, padding in operations:
            begin -= padding * stride
            size += (kernel - 1) * stride
            stride *= step
        fields[layer] = begin, size, stride
    return fields


@pytest.mark.parametrize("name", list(_CHAINS))
def test_measured_fields_are_those_of_kernels_and_strides(name):
    policy = models.make(name)
    measured = receptive_fields(policy, policy.init(jax.random.key(1)))
    assert list(measured) == list(policy.layer_names)
    for layer, (begin, size, stride) in by_arithmetic(name).items():
        field = measured[layer]
        first = begin + stride * np.arange(len(field.rows))
        expected = np.stack([first, first + size], -1).clip(0, 64)
        np.testing.assert_array_equal(field.rows, expected, err_msg=layer)
        np.testing.assert_array_equal(field.columns, expected, err_msg=layer)
        if (first > 0).any() and (first + size < 64).any():
            np.testing.assert_array_equal(field.row_centres, first + size / 2, err_msg=layer)
        else:
            assert layer == "stack3"  # each position sees every pixel
            np.testing.assert_array_equal(field.column_centres, 8 * np.arange(8) + 4)


def test_a_layer_that_sees_nothing_is_refused():
    policy = models.make("nature")
    params = jax.tree.map(
        lambda leaf: np.zeros(leaf.shape, leaf.dtype),
        jax.eval_shape(policy.init, jax.random.key(0)),
    )
    with pytest.raises(ValueError, match='"conv1" has positions that no pixel changes'):
        receptive_fields(policy, params)
