"""The room of questions put to the model: what if, how much more, what can be lost, does it come back.

Job:   play variants of an event in the model and reduce them to answers with intervals.
In:    Scenario, Demand, LoadPlan, Seed.    Out: typed answers, from the sub-rooms' doors.
Never: judge what was measured, order servers, draw a picture.
"""

__all__: list[str] = []
