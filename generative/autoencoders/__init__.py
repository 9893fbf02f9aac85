"""Autoencoders: an encoder makes a short code of an image, and a decoder makes the image again from the code alone.

What is forced through the narrow code, or made hard in another way, has to be understood: corrupted inputs have to be
put right (denoising), few units may speak at a time (sparsity).
"""

from generative.autoencoders.building import HIDDEN as HIDDEN
from generative.autoencoders.building import SOILED as SOILED
from generative.autoencoders.building import Model as Model
from generative.autoencoders.building import build_autoencoder as build_autoencoder
from generative.autoencoders.hardships import Change as Change
from generative.autoencoders.hardships import Sparsity as Sparsity
from generative.autoencoders.hardships import add_noise as add_noise
from generative.autoencoders.hardships import kl_sparsity as kl_sparsity
from generative.autoencoders.hardships import l1_sparsity as l1_sparsity
from generative.autoencoders.hardships import mask as mask
from generative.autoencoders.hardships import soil as soil
from generative.autoencoders.learner import AutoencoderLearner as AutoencoderLearner
from generative.autoencoders.networks import Autoencoder as Autoencoder
from generative.autoencoders.networks import conv_autoencoder as conv_autoencoder
from generative.autoencoders.networks import dense_autoencoder as dense_autoencoder
from generative.autoencoders.networks import fixed_spread as fixed_spread
