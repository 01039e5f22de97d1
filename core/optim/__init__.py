"""Optimisers and learning-rate schedules, as `torch.optim`."""

from ..spelling import tell_keywords_of_classes as _tell_keywords
from ..spelling import tell_names as _tell_names
from . import lr_scheduler as lr_scheduler
from .adam import Adam as Adam
from .adam import AdamW as AdamW
from .adaptive import Adadelta as Adadelta
from .adaptive import Adagrad as Adagrad
from .adaptive import Adamax as Adamax
from .adaptive import NAdam as NAdam
from .adaptive import RAdam as RAdam
from .adaptive import RMSprop as RMSprop
from .lbfgs import LBFGS as LBFGS
from .more import ASGD as ASGD
from .more import Adafactor as Adafactor
from .more import Muon as Muon
from .more import Rprop as Rprop
from .more import SparseAdam as SparseAdam
from .optimizer import Optimizer as Optimizer
from .sgd import SGD as SGD

_tell_names(__name__, later=("swa_utils",))
_tell_keywords(__name__, Optimizer)
