"""Workers on machines that are started for them and taken away again: today tasks of ECS on Fargate."""
