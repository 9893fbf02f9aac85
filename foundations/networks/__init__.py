"""Well-known networks, built of the package's own blocks: channels, classes and width can be chosen.

Each class has a `body`, named layer by layer, and a `head`, the dense layer behind it that gives the logits.
"""

from foundations.networks.alexnet import AlexNet as AlexNet
from foundations.networks.inception import GoogLeNet as GoogLeNet
from foundations.networks.inception import Inception as Inception
from foundations.networks.lenet import LeNet5 as LeNet5
from foundations.networks.mlp import MLP as MLP
from foundations.networks.resnet import CifarResNet as CifarResNet
from foundations.networks.resnet import ResNet as ResNet
from foundations.networks.resnet import resnet18 as resnet18
from foundations.networks.resnet import resnet34 as resnet34
from foundations.networks.resnet import resnet50 as resnet50
from foundations.networks.small import small_conv_net as small_conv_net
