"""The rows of a run's probe files: activity.csv and perturbations.csv."""

import math
from typing import NamedTuple

VERSION = 1  # of these definitions and of probes.py; stored probes of another version are not tabulated
PERTURBED_IMAGES = 1000  # the first of the test images
SATURATED = 0.01  # an activation with a derivative below this is saturated


class Activity(NamedTuple):
    """A layer (from 1, in the order of the forward pass) after an epoch (0: at initialization).

    A unit is a unit of a dense layer, or a channel of a convolution, each position being one
    observation. Layer 0 is the network: all its hidden units, and the norm of the gradient by all
    kernels. The output layer has a gradient norm only.
    """

    epoch: int
    layer: int
    gradient_norm: float  # L2, of the kernel, for the mean loss over PROBED_IMAGES, no dropout
    median_activation: float = math.nan  # over units, of their means (Clevert et al. 2015, figure 2)
    mean_absolute_activation: float = math.nan  # over units, of the absolute values of their means
    dead: float = math.nan  # share of units: pre-activation <= 0 on every training image
    saturated: float = math.nan  # share of units: derivative < SATURATED on every probed image
    # Mean over units of the share of observations with a derivative < SATURATED.
    saturated_share: float = math.nan


class Perturbation(NamedTuple):
    """A trained network under perturbation. Layer 0 is the network, with its scores on perturbed images.
    The other layers have the variance of an activation between two draws of the noise: its mean over the
    units and images whose pre-activation without noise is negative (deactivated), and over the others."""

    kind: str  # "input_noise": normal noise on every pixel; "planted": see Probes.perturbations
    level: float  # standard deviation of the noise, or distance below zero of the planted pre-activations
    layer: int
    accuracy: float = math.nan
    loss: float = math.nan
    deactivated_variance: float = math.nan
    activated_variance: float = math.nan
