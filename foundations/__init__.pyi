from .batches import Batches as Batches
from .errors import InputError as InputError
from .errors import require as require
from .errors import require_choice as require_choice
from .learner import Learner as Learner
from .learner import Metrics as Metrics
from .streams import Streams as Streams
