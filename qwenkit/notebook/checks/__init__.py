"""What the exercises ask, one module per lesson: `lesson_01.exercise_2` judges the answer to exercise 01.2.

A check is a plain function of the learner's answer. Its docstring's first line is the task, shown until something was
tried. It returns None when the answer is right and otherwise a hint, one sentence that says where to look next and
never gives the answer away. It may assume nothing about what it is given: whatever it raises becomes a hint too.
"""
