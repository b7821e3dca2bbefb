"""Cuts the files of this folder from the original code's outputs.

Usage: python tests/golden/make.py FOLDER, where FOLDER holds the full outputs (see README.md).
"""

import json
import sys
from pathlib import Path

import numpy as np

# file -> array -> how much of its first axis to keep (None: all of it)
CUTS: dict[str, dict[str, slice | None]] = {
    "frames.npz": {"frames": None},
    "outputs.npz": {"logits": None, "values": None},
    "acts.npz": dict.fromkeys(("1a", "2a", "2b", "3a", "4a"), slice(1)),
    "input_grad_value.npz": {"grad": slice(2), "grad_integrated10": slice(2)},
    "attr_value_2b_steps1.npz": {"attr": slice(2)},
    "attr_value_2b_steps10.npz": {"attr": slice(4)},
    "attr_logit7_2b_steps10.npz": {"attr": slice(1)},
    "attr_logit8_2b_steps10.npz": {"attr": slice(1)},
    "attr_value_1a_steps10.npz": {"attr": slice(1)},
    "attr_value_3a_4a_steps10.npz": {"attr_3a": slice(2), "attr_4a": slice(4)},
    "attr_3a_to_2b_actdir_poses.npz": dict.fromkeys(
        ("attr", "attr10", "act_dir", "act_poses"), slice(4)
    )
    | {"act_dir": None},
    "multipath_f4.npz": {"attr_attrnmf": slice(1), "acts_reduced_attrnmf": slice(1)},
    "multipath_4a_f3.npz": {"attr": slice(2), "channel_dirs": None, "acts_reduced": slice(2)},
    "projection_edit.npz": {
        "rand_v": None,
        "rand_kernel": None,
        "rand_logits": None,
        "rand_values": None,
        "nmf_v": None,
        "nmf_logits": None,
        "nmf_values": None,
    },
    "argmax_nd.npz": dict.fromkeys(("x", "x_biased", *(f"case{i}" for i in range(42)))),
    "image_ops.npz": dict.fromkeys(
        (
            *("channels8", "rgb_from_8", "rgb_from_8_nowarp", "rgb_from_4", "rgb_eye8"),
            *("hues", "hues_nowarp", "channels3", "zoom"),
            *("norm_filter15", "norm_filter7", "norm_filter15_noclip", "norm_filter15_l1"),
            *("conv_in", "conv_out", "conv_out7", "conv_asym_filter", "conv_asym_out"),
            *("bright_in", "bright_out", "bright_of_smooth"),
            *("rescale_in", "rescale_default", "rescale_thumb", "rescale_single"),
        )
    ),
    "vis_attr_f8.npz": {
        "acts_reduced": None,
        "thumb_feat0_num4_exp4_image": None,
        "thumb_feat0_num4_exp4_indices": None,
        "thumb_feat0_num3_exp2_image": None,
        "thumb_feat0_num3_exp2_indices": None,
        "vis_feat0_sub0.5_exp2_image": None,
        **{
            f"vis_feat0_{grid}_{array}": None
            for grid in ("sub0.25_exp8", "sub0.5_exp2", "sub1_exp1", "sub2_exp1")
            for array in ("indices", "tiefree")
        },
    },
}
for _kind, _features in (("act", 4), ("act", 8), ("attr", 4), ("attr", 8)):
    CUTS[f"nmf_{_kind}_f{_features}.npz"] = {
        "channel_dirs": None,
        "channel_dirs_other_seeds": None,
        "H_init": None,
        "nmf_norms": None,
        "acts_reduced": slice(1),
        "inverse_transform": slice(1),
        "transform_pos": slice(1),
        "transform_neg": slice(1),
        "attr_trans": slice(1),
        "attr_trans_scaled": slice(1),
        "attr_residual": slice(1),
    }
CUTS["nmf_sklearn102.npz"] = {
    f"{_kind}_f{_features}_{_array}": _part
    for _kind in ("act", "attr")
    for _features in (4, 8)
    for _array, _part in (("channel_dirs", None), ("transform_pos", slice(1)))
}


def cut(source: Path, target: Path) -> None:
    """Writes every file of `CUTS` from `source` to `target`."""
    manifest = json.loads((source / "manifest.json").read_text())
    for name, cuts in CUTS.items():
        with np.load(source / name) as arrays:
            kept = {key: arrays[key][part or slice(None)] for key, part in cuts.items()}
        if name.startswith(("nmf_act", "nmf_attr")):
            parameters = manifest["files"][name]["parameters"]
            kept |= {key: np.asarray(parameters[key]) for key in ("n_iter", "reconstruction_err")}
        if name == "vis_attr_f8.npz":
            # Only the first of the two features; the thumbnails of the other are not kept.
            kept["acts_reduced"] = kept["acts_reduced"][..., 0]
        np.savez_compressed(target / name, **kept)


if __name__ == "__main__":
    cut(Path(sys.argv[1]), Path(__file__).parent)
