"""The catalog: a network by its name, from its recorded architecture, or from a user's own factory."""

import importlib
import inspect
import logging
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from econet.errors import UserError, one_line, unknown_name
from econet.models import architecture as records
from econet.models.alexnet import MINI, ORIGINAL_CODE, PAPER, alexnet
from econet.models.alexnet_small import alexnet_small
from econet.models.classics import cuda_convnet
from econet.models.classics.inverted_residuals import efficientnet_lite0, mobilenet_v2
from econet.models.classics.lenet5 import lenet5
from econet.models.classics.resnet_cifar import resnet8, resnet20
from econet.models.classics.resnet_small import resnet_small
from econet.models.classics.shufflenet_v2 import shufflenet_v2_half
from econet.models.classics.squeezenet import squeezenet
from econet.models.classics.vgg_small import vgg_small
from econet.models.cost import check_buildable
from econet.models.econet import econet, econet_fine
from econet.models.handcrafted import features

if TYPE_CHECKING:
    from torch import nn

# Without a handler of the user's own Python prints it on standard error.
_log = logging.getLogger("econet")
_said: set[str] = set()

InputShape = tuple[int, int, int]
Factory = Callable[..., records.Architecture]

CATALOG: dict[str, Factory] = {
    "alexnet:paper": partial(alexnet, PAPER),
    "alexnet:original_code": partial(alexnet, ORIGINAL_CODE),
    "alexnet:mini": partial(alexnet, MINI),
    "alexnet_small": alexnet_small,
    # Each column on a device of its own under `torchrun`: normalisation stays inside it.
    "alexnet_towers:paper": partial(alexnet, PAPER, lrn_extent="column"),
    "alexnet_towers:original_code": partial(alexnet, ORIGINAL_CODE, lrn_extent="column"),
    "alexnet_towers:mini": partial(alexnet, MINI, lrn_extent="column"),
    "cuda_convnet:26pct": cuda_convnet.fast,
    "cuda_convnet:19pct": cuda_convnet.plain,
    "cuda_convnet:18pct": cuda_convnet.normalised,
    "cuda_convnet:13pct": cuda_convnet.local_13,
    "cuda_convnet:11pct": cuda_convnet.local_11,
    "econet": econet,
    "econet:fine": econet_fine,
    "efficientnet_lite0": efficientnet_lite0,
    "lenet5": lenet5,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v2:x0.5": partial(mobilenet_v2, width=0.5),
    "resnet8": resnet8,
    "resnet20": resnet20,
    "resnet_small": resnet_small,
    "shufflenet_v2:x0.5": shufflenet_v2_half,
    "squeezenet": squeezenet,
    "vgg_small": vgg_small,
}
# Not networks: fitted by `train`, read by `evaluate`, outside every sweep over networks.
HANDCRAFTED: dict[str, Callable[..., features.Handcrafted]] = {
    "hog_linear": features.hog_linear,
    "sift_fisher": features.sift_fisher,
}
# What a switch of each type reads, in words and as an example.
_READS = {bool: ("true or false", "true"), int: ("a whole number", "2"), float: ("a number", "0.5")}
# Where no shape is asked for: (channels, height, width).
USUAL_SHAPE = (3, 32, 32)
PUBLISHED_SHAPE = {
    f"{family}:{preset}": (3, 224, 224)
    for family in ("alexnet", "alexnet_towers")
    for preset in ("paper", "original_code")
}


def architecture(name: str, input_shape: InputShape, classes: int, **switches: Any) -> dict[str, Any]:
    """The architecture of `name` as data, for `config.json`.

    `name` is a catalog name or `package.module:function`; `switches` are the model's own (width, lrn).
    Raises UserError for an unknown name, a switch the model has not, and shapes it cannot take.
    """
    family = name.partition(":")[0]
    if name not in CATALOG and ":" in name and not any(known.partition(":")[0] == family for known in CATALOG):
        return {"factory": name, "arguments": _factory_arguments(name, input_shape, classes, switches)}
    if name not in CATALOG and name not in HANDCRAFTED:
        raise unknown_model(name)
    _check_switches(name, switches)
    if name in HANDCRAFTED:
        return features.to_data(HANDCRAFTED[name](input_shape, classes, **switches))
    return records.to_data(CATALOG[name](input_shape, classes, **switches))


def switches_of(name: str) -> list[str]:
    """The switches of a catalog model, such as `width`."""
    return list(inspect.signature(CATALOG.get(name) or HANDCRAFTED[name]).parameters)[2:]


def _check_switches(name: str, switches: dict[str, Any]) -> None:
    """Raises UserError for a switch that the model has not and for a value of another type, such as the word no."""
    known = switches_of(name)
    parameters = inspect.signature(CATALOG.get(name) or HANDCRAFTED[name]).parameters
    for switch, value in switches.items():
        if switch not in known:
            raise UserError(
                f"{name} has no --{switch}",
                f"its switches are: {', '.join(known) or 'none'}",
                f"leave --{switch} out, or choose another --model",
            )
        annotation = parameters[switch].annotation
        kind = bool if annotation == bool | None else annotation
        if kind not in _READS:
            continue
        words, example = _READS[kind]
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise UserError(
                f"{name} cannot take {switch}={value}", f"{switch} reads {words}", f"--switch {switch}={example}"
            ) from error


def network(data: dict[str, Any]) -> "nn.Module":
    """The untrained network of a recorded architecture. Raises UserError where it cannot be built from a record."""
    if "handcrafted" in data:
        raise _no_network(str(data["handcrafted"].get("name")))
    if "factory" in data:
        return handed_over(_made_by_factory(str(data["factory"]), data.get("arguments")), data)
    if is_quantized(data):
        raise UserError(
            "the network is quantized",
            "its weights are those of an int8 file: it is not trained on, started from, pruned or asked to teach",
            "the run it was made from, which its config.json names as `parent`",
        )
    if "object" in data:
        raise UserError(
            f"the network {data['object']} was handed over as a Python object",
            "its run records class name and parameter shapes, which is not enough to build it again",
            "hand the same kind of object to econet.train or econet.export in Python",
        )
    from econet.models.network import Network

    recorded = records.from_data(data)
    check_buildable(recorded)
    return Network(recorded)


def build(name: str, *, input_shape: InputShape | None = None, classes: int = 10, **switches: Any) -> "nn.Module":
    """An untrained network by name, ready for float32 images [N, *input_shape].

    Without a shape: 3 x 224 x 224 for the published network, 3 x 32 x 32 for the others.
    """
    shape = input_shape or PUBLISHED_SHAPE.get(name, USUAL_SHAPE)
    return network(architecture(name, shape, classes, **switches))


def is_quantized(data: dict[str, Any]) -> bool:
    """Whether a recorded architecture is that of a network with fake quantization, made from another one."""
    return "quantized" in data


def takes_raw_pixels(data: dict[str, Any]) -> bool:
    """Whether a recorded architecture subtracts a mean image itself and so wants pixels from 0 to 255."""
    layers = data.get("quantized", data).get("layers", ())
    return any(layer.get("kind") == "mean-image" for layer in layers)


def set_mean_image(network: "nn.Module", mean: NDArray[np.float32]) -> None:
    """Give a network that subtracts the mean image the one of its training data, [H, W, C]."""
    import torch

    from econet.models.layers_2012 import MeanImageLayer

    for layer in network.modules():
        if isinstance(layer, MeanImageLayer):
            layer.mean.copy_(torch.from_numpy(mean).permute(2, 0, 1))


def unknown_model(name: str) -> UserError:
    """The error for a misspelt model, with the nearest known ones, and for one that is no network where one must be."""
    if name in HANDCRAFTED:
        return _no_network(name)
    return unknown_name("model", name, (*CATALOG, *HANDCRAFTED))


def _no_network(name: str) -> UserError:
    return UserError(
        f"{name} is no network",
        "it is hand-crafted features and a linear classifier: nothing to export, compress or compare as a file",
        f"econet train DATA --model {name}, then econet evaluate RUN",
    )


def handed_over(module: "nn.Module", data: dict[str, Any]) -> "nn.Module":
    """A user's own `module` as a run has it: the cuts recorded in its architecture are made in it.

    One that is cut already is taken as it is. Raises UserError for a module that is not the one that was cut.
    """
    if not data.get("cuts"):
        return module
    from econet.models.cuts import cut_network, cuts_from_data, shapes_after

    cuts = cuts_from_data(data["cuts"])
    own, recorded = describe_object(module)["parameters"], _recorded_shapes(data)
    if recorded is not None and own == shapes_after(recorded, cuts):
        return module
    if recorded is not None and own != recorded:
        raise UserError(
            f"{type(module).__name__} is not the network that was pruned",
            f"the run records {data.get('object')}, with parameters of other shapes",
            "hand over the same kind of network, as it was before pruning",
        )
    for cut in cuts:
        cut_network(module, cut)
    return module


def _recorded_shapes(data: dict[str, Any]) -> dict[str, list[int]] | None:
    """The shapes that a run records of a network handed over as an object. Raises UserError where they are none."""
    try:
        return msgspec.convert(data.get("parameters"), dict[str, list[int]] | None)
    except msgspec.ValidationError as error:
        raise UserError(
            "the recorded shapes of the network cannot be read",
            f"`parameters` of its architecture: {error}",
            "restore config.json from a copy",
        ) from error


def describe_object(module: "nn.Module") -> dict[str, Any]:
    """What is recorded of a network handed over as an object: its class and its parameters' shapes.

    One that was built from an architecture is recorded by that, and can be built again.
    """
    from econet.models.network import Network

    if isinstance(module, Network):
        return records.to_data(module.architecture)
    shapes = {name: list(value.shape) for name, value in module.state_dict().items()}
    return {"object": type(module).__qualname__, "parameters": shapes}


def _factory_arguments(
    reference: str, input_shape: InputShape, classes: int, switches: dict[str, Any]
) -> dict[str, Any]:
    """Those of classes, channels, image_size and the switches that the user's function takes."""
    offered = {"classes": classes, "channels": input_shape[0], "image_size": list(input_shape[1:]), **switches}
    accepted = inspect.signature(_imported(reference)).parameters
    for switch in switches:
        if switch not in accepted:
            raise UserError(
                f"{reference} takes no --{switch}",
                f"its parameters are: {', '.join(accepted)}",
                f"leave --{switch} out",
            )
    return {name: value for name, value in offered.items() if name in accepted}


def _made_by_factory(reference: str, arguments: Any) -> "nn.Module":
    from torch import nn

    factory = _imported(reference)
    try:
        inspect.signature(factory).bind(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{reference} cannot be called as the run records",
            f"`arguments` is {arguments!r}: {one_line(error)}",
            "the function as it was when the run was made, or config.json from a copy",
        ) from error
    made = factory(**arguments)
    if not isinstance(made, nn.Module):
        raise UserError(
            f"{reference} gave no network",
            f"it returned {type(made).__name__}",
            "return a torch.nn.Module from it",
        )
    return made


def _imported(reference: str) -> Callable[..., Any]:
    """The function behind `package.module:function`. Importing runs that module's code, which is said plainly.

    A run folder may come from a stranger, and its record names the function and its arguments: the standard library,
    where such a function could be os.system, is never reached this way.
    """
    module_name, _, function_name = reference.partition(":")
    if _is_pythons_own(module_name):
        raise _no_model(reference)
    if reference not in _said:
        _said.add(reference)
        _log.warning("this runs the code of %s", reference)
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"cannot import the model {reference!r}", str(error), "package.module:function, importable from here"
        ) from error
    if not callable(found):
        raise UserError(f"{reference} is not a function", f"it is a {type(found).__name__}", "name a function")
    if inspect.isroutine(found) and _is_pythons_own(str(found.__module__)):
        raise _no_model(reference)
    return found


def _is_pythons_own(module_name: str) -> bool:
    return module_name.partition(".")[0] in {*sys.stdlib_module_names, "builtins"}


def _no_model(reference: str) -> UserError:
    return UserError(
        f"{reference} is no model",
        "it belongs to Python itself, which has no networks",
        "name a function of your own that returns a torch.nn.Module",
    )
