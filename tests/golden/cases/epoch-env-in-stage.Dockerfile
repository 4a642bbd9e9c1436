#: rule the environment's SOURCE_DATE_EPOCH is a build argument (2.6, buildx)
#: twice
FROM busybox
ARG SOURCE_DATE_EPOCH
RUN echo $SOURCE_DATE_EPOCH > /epoch
