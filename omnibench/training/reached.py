"""What a loss reaches of the parameters that are trained."""

from torch import nn

from omnibench.errors import RequestError


def check_reached(model: nn.Module) -> None:
    """Refuse a training of parts that the loss does not depend on; called after a backward pass.

    A part is what stands directly in the model, such as its backbone or its head: single
    parameters of it may have no use in a task, all of them may not. Of LoRA every one counts.

    Raises:
        RequestError: naming the first parameter without a gradient.
    """
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    parts: dict[str, dict[str, nn.Parameter]] = {}
    for name, parameter in trained.items():
        part = name if "lora_" in name else name.partition(".")[0]
        parts.setdefault(part, {})[name] = parameter
    for part, parameters in parts.items():
        if all(parameter.grad is None for parameter in parameters.values()):
            raise RequestError(
                f"'{part}' would be trained, but the loss does not depend on it: "
                f"{next(iter(parameters))} gets no gradient; let its forward keep gradients (no "
                "detach, no torch.no_grad), or use an adaptation that does not train it"
            )
