"""From a raw table to a network's input: outliers, new features, missing values, scales, categories, splits.

The transformers follow scikit-learn's rules, so they stand in its pipelines beside its own. All that they learn, they
learn in `fit`, from the training split alone.
"""

from foundations.preprocessing.features import FourierFeatures as FourierFeatures
from foundations.preprocessing.features import RatioFeatures as RatioFeatures
from foundations.preprocessing.outliers import InterquartileOutliers as InterquartileOutliers
from foundations.preprocessing.outliers import ZScoreOutliers as ZScoreOutliers
from foundations.preprocessing.outliers import inliers as inliers
from foundations.preprocessing.regressor import TableRegressor as TableRegressor
from foundations.preprocessing.splits import quantile_bins as quantile_bins
from foundations.preprocessing.splits import random_split as random_split
from foundations.preprocessing.splits import stratified_split as stratified_split
from foundations.preprocessing.tables import Imputation as Imputation
from foundations.preprocessing.tables import category_steps as category_steps
from foundations.preprocessing.tables import numeric_steps as numeric_steps
from foundations.preprocessing.tables import table_pipeline as table_pipeline
