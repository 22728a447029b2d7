"""A narrower network begins with the first channels of a trained one."""

import torch
from safetensors.torch import save_file

from econet.models.econet import econet
from econet.models.network import Network
from econet.models.scaled import scaled
from econet.training.warm_start import take_leading

SHAPE = (1, 28, 28)


def test_every_layer_takes_its_leading_channels_and_they_fit_together(tmp_path):
    torch.manual_seed(0)
    whole = Network(econet(SHAPE, 10)).eval()
    # Where all channels but the first ones are silent, the narrow network is the whole one.
    narrow = Network(scaled(whole.architecture, 0.5)).eval()
    kept = {name: value.shape for name, value in narrow.state_dict().items()}
    state = whole.state_dict()
    for name, value in state.items():
        if value.dim() and name in kept and ("norm.weight" in name or "norm.bias" in name):
            value[kept[name][0] :] = 0
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "weights.safetensors")
    assert take_leading(narrow, tmp_path / "weights.safetensors") == len(kept)
    pictures = torch.rand(4, *SHAPE)
    torch.testing.assert_close(narrow(pictures), whole(pictures), atol=1e-5, rtol=1e-4)


def test_what_has_no_source_stays_as_it_was(tmp_path):
    torch.manual_seed(0)
    wide, narrow = Network(econet(SHAPE, 10)), Network(econet(SHAPE, 10, width=0.5))
    save_file({name: value.contiguous() for name, value in narrow.state_dict().items()}, tmp_path / "w.safetensors")
    before = {name: value.clone() for name, value in wide.state_dict().items()}
    taken = take_leading(wide, tmp_path / "w.safetensors")
    # Only what does not depend on the width has a source that is large enough.
    same = [name for name, value in narrow.state_dict().items() if value.shape == before[name].shape]
    assert taken == len(same) < len(before)
    for name, value in wide.state_dict().items():
        if name not in same:
            assert torch.equal(value, before[name])
