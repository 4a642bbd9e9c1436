#: rule a service from an archive: its own user, a set-uid file, links, what the base had is moved and removed
#: flags --build-arg PORT=5433
FROM busybox AS fetch
ADD archive.tgz /usr/src/
SHELL ["/bin/sh", "-exc"]
RUN cd /usr/src/packed; \
    echo "more" >> file; \
    chmod 4711 file; \
    ln -s ../packed /usr/src/current

FROM busybox
ARG PORT=5432
ARG HOME_OF=/var/lib/service
ENV DATA=${HOME_OF}/data RUNTIME="${RUNTIME:+$RUNTIME:}/run/service"
RUN set -eux; \
	echo "service:x:999:999::$HOME_OF:/bin/sh" >> /etc/passwd; \
	echo "service:x:999:" >> /etc/group; \
	mkdir -p "$DATA" "$RUNTIME"; \
	chown -R 999:999 "$HOME_OF" "$RUNTIME"; \
	chmod 3777 "$RUNTIME"
COPY --from=fetch /usr/src /usr/local/
COPY --chown=service:service run.sh a2.txt $DATA/
COPY --chown=service hello.txt /link/
RUN mv /opt/attributes /usr/local/moved && rm -r /opt/pipe /home && chmod 700 "$DATA" && touch "$DATA/in-volume"
VOLUME ["/var/lib/service/data"]
EXPOSE $PORT/tcp
USER service
WORKDIR $DATA
ENTRYPOINT exec service --data $DATA
