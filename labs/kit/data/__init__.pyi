from .images import ImageData as ImageData
from .images import load_images as load_images
from .registry import DATA_SETS as DATA_SETS
from .registry import DataFile as DataFile
from .registry import DataSet as DataSet
from .registry import find_data_set as find_data_set
from .store import MissingDataError as MissingDataError
from .store import read_data_set as read_data_set
