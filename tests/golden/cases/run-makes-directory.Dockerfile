#: rule RUN makes the WorkingDir that its base names and lacks, the user's (1.10, runcexecutor)
FROM elsewhere
RUN pwd > here
