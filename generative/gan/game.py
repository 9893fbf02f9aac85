"""The rules of the game: which player gets which gradient, from which images."""

import torch
from torch import Tensor, nn

from foundations.averaging import has_batch_norm
from foundations.distributed import average_gradients, share_of, sharing
from foundations.errors import require
from foundations.learner import Metrics
from generative.gan.gradients import back_at_once, back_in_turn
from generative.gan.objectives import Objective
from generative.precision import half_precision

Condition = tuple[Tensor, ...]
"""What the discriminator is told beside the images: nothing, or their labels (batch,)."""


class Game:
    """Two players and what each minimises: leaves the gradients of their losses in their weights, and moves nothing.

    Real and made images pass the discriminator apart, so that its batch norm never mixes them. With `half` matrices
    are multiplied in bf16. Where several processes share a batch (see `foundations.distributed`), each is given all of
    it and looks at its share.

    Shapes: real images (batch, ...) as the generator makes them of latents (batch, width); answers (batch, 1).
    Raises: InputError for a penalty where the discriminator has batch norm.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, objective: Objective, *, half: bool) -> None:
        self.judges_each_alone = not has_batch_norm(discriminator)
        name = getattr(objective.penalty, "__name__", "given").removesuffix("_penalty")
        allowed = "none where the discriminator has batch norm, as each image is charged by itself; take another norm"
        require(self.judges_each_alone or objective.penalty is None, "penalty", name, allowed)
        self.generator, self.discriminator, self.objective, self._half = generator, discriminator, objective, half

    def leave_both(self, real: Tensor, latents: Tensor, condition: Condition, stream: torch.Generator) -> Metrics:
        """Leave each player the gradient of its own loss, from one look at the same images; penalties use `stream`."""
        real, latents, condition = share_of(real), share_of(latents), _share(condition)
        with sharing(), half_precision(real, on=self._half):
            fake = self._make(latents)
            shown = fake.detach().requires_grad_()  # the discriminator's gradients end here, the generator's begin
            answers = self._judge(real, condition), self._judge(shown, condition)
        making_loss, judging_loss = self.objective.generator(answers[1]), self.objective.discriminator(*answers)
        self.generator.zero_grad()
        self.discriminator.zero_grad()
        weights = list(self.discriminator.parameters())
        if self.judges_each_alone:
            pull = back_at_once(making_loss, judging_loss, answers, shown, weights)
        else:
            pull = back_in_turn(making_loss, judging_loss, shown, weights)
        fake.backward(pull)
        figures = self._figures(judging_loss, *answers) | self._charge(real, fake, condition, stream)
        return average_gradients(
            [*self.generator.parameters(), *weights], {"loss/generator": making_loss.detach(), **figures}
        )

    def leave_discriminator(
        self, real: Tensor, latents: Tensor, condition: Condition, stream: torch.Generator
    ) -> Metrics:
        """Leave the discriminator the gradient of its loss; the generator only lends images."""
        real, latents, condition = share_of(real), share_of(latents), _share(condition)
        with sharing(), half_precision(real, on=self._half):
            with torch.no_grad():
                fake = self._make(latents)
            answers = self._judge(real, condition), self._judge(fake, condition)
        loss = self.objective.discriminator(*answers)
        self.discriminator.zero_grad()
        loss.backward()
        figures = self._figures(loss, *answers) | self._charge(real, fake, condition, stream)
        return average_gradients(self.discriminator.parameters(), figures)

    def leave_generator(self, latents: Tensor, condition: Condition) -> Metrics:
        """Leave the generator the gradient of its loss, through the discriminator, where nothing of it stays."""
        latents, condition = share_of(latents), _share(condition)
        with sharing(), half_precision(latents, on=self._half):
            answers = self._judge(self._make(latents), condition)
        loss = self.objective.generator(answers)
        self.generator.zero_grad()
        loss.backward(inputs=list(self.generator.parameters()))
        return average_gradients(self.generator.parameters(), {"loss/generator": loss.detach()})

    def _charge(
        self, real: Tensor, fake: Tensor, condition: Condition, stream: torch.Generator
    ) -> dict[str, float | Tensor]:
        """Add to the discriminator's gradients that of the penalty, if there is one."""
        if self.objective.penalty is None:
            return {}
        with sharing(stream), half_precision(real, on=self._half):
            penalty = self.objective.penalty(lambda images: self._judge(images, condition), real, fake, stream)
        penalty.backward(inputs=list(self.discriminator.parameters()))
        return {"loss/penalty": penalty.detach()}

    def _figures(self, loss: Tensor, real_answers: Tensor, fake_answers: Tensor) -> dict[str, float | Tensor]:
        real, fake = real_answers.detach(), fake_answers.detach()
        if self.objective.answers_logits:
            real, fake = real.sigmoid(), fake.sigmoid()
        beliefs = {"discriminator/real": real.mean(), "discriminator/fake": fake.mean()}
        return {"loss/discriminator": loss.detach(), **beliefs}

    def _make(self, latents: Tensor) -> Tensor:
        images: Tensor = self.generator(latents)
        return images

    def _judge(self, images: Tensor, condition: Condition) -> Tensor:
        """The discriminator's answers, in single precision at least: losses want their digits."""
        answers: Tensor = self.discriminator(images, *condition)
        return answers.to(torch.promote_types(answers.dtype, torch.float32))


def _share(condition: Condition) -> Condition:
    return tuple(share_of(each) for each in condition)
