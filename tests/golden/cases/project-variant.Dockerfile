#: rule a family of images: the stage is chosen by an argument, triggers do the work in whoever is built on it
#: flags --build-arg FLAVOUR=full
ARG FLAVOUR=small
FROM busybox AS common
ONBUILD ARG APP_DIR=/app
ONBUILD WORKDIR ${APP_DIR}
ONBUILD COPY --chown=app:app a*.txt optional.tx[t] ./
ONBUILD RUN echo "$(pwd) $APP_DIR" > built && chown app built
ENV KIND=common

FROM scratch AS flavour-small

FROM common AS flavour-full
ARG TARGETARCH
ENV KIND=full-${TARGETARCH}
COPY dir/sub ./extra
USER app
ONBUILD USER root
ONBUILD RUN id > /who

FROM flavour-${FLAVOUR} AS chosen
LABEL kind=$KIND

FROM chosen
RUN [ "sh", "-c", "echo $0 $KIND", "exec form" ]
COPY --from=flavour-full /app/extra/three /app/built /from/
CMD echo "$KIND"
