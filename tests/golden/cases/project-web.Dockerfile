#: rule a web application: dependencies, build, a small last stage whose user is not root
#: flags --build-arg VERSION=2.0
#: ignore node_modules
#: ignore **/*.md
#: ignore !dir/sub/deep/four.md
# syntax=docker/dockerfile:1
ARG BASE=busybox

FROM ${BASE} AS base
ENV APP_HOME=/srv/app \
    # where the tools are
    PATH="/srv/app/bin:$PATH"
WORKDIR ${APP_HOME}/

FROM base AS deps
RUN --mount=type=bind,source=a1.txt,target=/tmp/lock \
    --mount=type=cache,target=/root/.cache/web \
    mkdir -p modules/.bin && cp /tmp/lock modules/lock && ln -s ../lock modules/.bin/tool && ln modules/lock modules/same

FROM base AS build
ARG VERSION=1.0
COPY --from=deps ${APP_HOME}/modules ./modules
COPY . .
RUN mkdir -p dist/static \
    # what the ignore file leaves
    && echo "$VERSION" > dist/index.html && ls -A . dir/sub/deep > dist/seen && chmod 2775 dist/static

FROM base AS final
ARG VERSION
LABEL org.opencontainers.image.version="${VERSION:-none}" \
      org.opencontainers.image.title='web app'
COPY --from=build --chown=app:extra /srv/app/dist ./public/
COPY --from=deps --chown=app /srv/app/modules modules
COPY --chmod=755 run.sh /usr/local/bin/entry
RUN rm -rf /opt/data && mkdir /var/log && ln -s /dev/stdout /var/log/out
USER app:extra
EXPOSE 8080 8443/tcp
VOLUME /srv/app/data
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=30s --timeout=3s CMD wget -q localhost:8080 || exit 1
ENTRYPOINT ["entry"]
CMD ["serve", "--port", "8080"]
