"""The paper's studies: quantitative, repeatable, each one function, one command and one page.

How a study is built, by the example of `failures`:

- `studies/failures.py` holds a frozen `FailuresConfig` (every option, its default and meaning) and
  `study_failures(policy, params, agent_config, config, *, cells, notify) -> FailuresResult`, which
  writes no file but its cells; the result has a `table` (`tables.Table`).
- Work of more than a minute is cut into cells (`cells.Cells`): `cells.run(name, config, compute)`
  returns what `compute()` returned, from disk if an earlier run finished this cell with an equal
  config. Half-written, failed and foreign cells are named through `notify` and computed again.
- `draw_failures(result) -> bytes` makes the figure, an SVG, with `figures.new_figure` and
  `figures.to_svg`; matplotlib is imported inside `figures` only.
- `cli/study/failures.py` is a thin tyro dataclass with `run() -> int`: it opens a
  `results.StudyFolder(out, "failures")`, calls the study with `folder.cells` and a bar for each
  stage (`cli.console.stages`), and `folder.write(table, svg, provenance(...))` writes table.csv,
  table.json and figure.svg. It is listed in `cli/study/__init__.py`.
- docs/studies/NAME.md shows what it found, notebooks/NAME.py runs it small.

Progress is told by `notify(stage, done, total, note="")`, which fits `Stages.notify` of the
commands. A game of which the ground truth is unknown is refused with a ValueError that says so.
"""

from rlvision_jax.studies.agreement import agent_table, agreement_table
from rlvision_jax.studies.cells import Cells
from rlvision_jax.studies.changed_levels import LevelChanges
from rlvision_jax.studies.comparison import (
    ComparisonResult,
    Variants,
    compare_interpretability,
    draw_comparison,
)
from rlvision_jax.studies.diversity import DiversityConfig, study_diversity
from rlvision_jax.studies.diversity_result import DiversityResult, draw_diversity
from rlvision_jax.studies.editing import EditingConfig, study_editing
from rlvision_jax.studies.editing_result import EditingResult, draw_editing
from rlvision_jax.studies.failures import (
    FailedEpisode,
    FailuresConfig,
    FailuresResult,
    draw_failures,
    study_failures,
    worst_of_each_cause,
)
from rlvision_jax.studies.goal import GoalConfig, study_goal
from rlvision_jax.studies.goal_features import PairedFrames, follow_coin, pair_frames
from rlvision_jax.studies.goal_result import GoalResult, draw_goal
from rlvision_jax.studies.hallucination_finder import FinderConfig
from rlvision_jax.studies.hallucination_search import HallucinationsConfig
from rlvision_jax.studies.hallucinations import (
    HallucinationsResult,
    draw_hallucinations,
    study_hallucinations,
)
from rlvision_jax.studies.interpretability import (
    InterpretabilityConfig,
    InterpretabilityResult,
    draw_interpretability,
    score_layer,
    study_interpretability,
)
from rlvision_jax.studies.labelled_frames import (
    LabelledFrames,
    sample_games,
    sample_labelled_frames,
)
from rlvision_jax.studies.object_classes import (
    CLASSES,
    class_masks,
    class_shares,
    classes_in_field,
    position_classes,
)
from rlvision_jax.studies.rated_features import RatingConfig, rated_features
from rlvision_jax.studies.rating import RatedFeature, Rating, rating_page, read_ratings
from rlvision_jax.studies.receptive_fields import ReceptiveField, receptive_fields
from rlvision_jax.studies.replaying import replay
from rlvision_jax.studies.results import StudyFolder, provenance
from rlvision_jax.studies.scored_features import FeaturesConfig
from rlvision_jax.studies.scoring import FeatureScore, ScoreConfig, score_feature
from rlvision_jax.studies.tables import Column, Table

__all__ = [
    "CLASSES",
    "Cells",
    "Column",
    "ComparisonResult",
    "DiversityConfig",
    "DiversityResult",
    "EditingConfig",
    "EditingResult",
    "FailedEpisode",
    "FailuresConfig",
    "FailuresResult",
    "FeatureScore",
    "FeaturesConfig",
    "FinderConfig",
    "GoalConfig",
    "GoalResult",
    "HallucinationsConfig",
    "HallucinationsResult",
    "InterpretabilityConfig",
    "InterpretabilityResult",
    "LabelledFrames",
    "LevelChanges",
    "PairedFrames",
    "RatedFeature",
    "Rating",
    "RatingConfig",
    "ReceptiveField",
    "ScoreConfig",
    "StudyFolder",
    "Table",
    "Variants",
    "agent_table",
    "agreement_table",
    "class_masks",
    "class_shares",
    "classes_in_field",
    "compare_interpretability",
    "draw_comparison",
    "draw_diversity",
    "draw_editing",
    "draw_failures",
    "draw_goal",
    "draw_hallucinations",
    "draw_interpretability",
    "follow_coin",
    "pair_frames",
    "position_classes",
    "provenance",
    "rated_features",
    "rating_page",
    "read_ratings",
    "receptive_fields",
    "replay",
    "sample_games",
    "sample_labelled_frames",
    "score_feature",
    "score_layer",
    "study_diversity",
    "study_editing",
    "study_failures",
    "study_goal",
    "study_hallucinations",
    "study_interpretability",
    "worst_of_each_cause",
]
