"""Environments of this package: Gymnasium's classic control written for many at once, and uses from business.

Importing it registers them. Gymnasium's own ids get a fast vector form,

    gymnasium.make_vec("Acrobot-v1", num_envs=64, vectorization_mode="vector_entry_point")

and "labs/MultiArmed-v0", "labs/Recommender-v0", "labs/Marketing-v0" and "labs/AdBidding-v0" are new, each with a vector
form of its own. Nothing is imported until it is used.
"""

import gymnasium

VECTOR_FORMS = {
    "Acrobot-v1": "agents.envs.acrobot:AcrobotVectorEnv",
    "MountainCar-v0": "agents.envs.mountain_car:MountainCarVectorEnv",
    "MountainCarContinuous-v0": "agents.envs.mountain_car:ContinuousMountainCarVectorEnv",
    "Pendulum-v1": "agents.envs.pendulum:PendulumVectorEnv",
}
"""Vector entry points, by Gymnasium's id."""

USES = {
    "labs/MultiArmed-v0": "agents.envs.multi_armed:MultiArmed",
    "labs/Recommender-v0": "agents.envs.recommender:Recommender",
    "labs/Marketing-v0": "agents.envs.marketing:Marketing",
    "labs/AdBidding-v0": "agents.envs.ad_bidding:AdBidding",
}
"""Entry points of the environments that are new, by their id."""

for _id, _entry in VECTOR_FORMS.items():
    if gymnasium.registry[_id].vector_entry_point is None:  # one of Gymnasium's own goes first
        gymnasium.registry[_id].vector_entry_point = _entry
for _id, _entry in USES.items():
    if _id not in gymnasium.registry:
        gymnasium.register(_id, entry_point=_entry, vector_entry_point=f"{_entry}VectorEnv")
