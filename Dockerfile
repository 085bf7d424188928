FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /src
# Packages first: their layer is kept as long as no project file changes.
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig openapi.yaml ./
COPY Warp.Http/Warp.Http.csproj Warp.Http/packages.lock.json Warp.Http/
RUN dotnet restore Warp.Http --locked-mode
COPY Warp.Http Warp.Http
RUN dotnet publish Warp.Http -c Release --no-restore -o /app -p:UseAppHost=false

FROM mcr.microsoft.com/dotnet/aspnet:10.0
WORKDIR /app
COPY --from=build /app .
# The volume takes over owner and mode of the directory it is mounted on, so the service need not be root to write to it.
RUN install -d -o $APP_UID -g $APP_UID -m 700 /data
# Every address, because a container has no other way out. There is no preset for who may call: the service refuses to start on
# such an address until Warp__Auth__Mode is set.
ENV ASPNETCORE_URLS=http://+:9090 \
    Warp__DataDirectory=/data
USER $APP_UID
VOLUME /data
EXPOSE 9090
# The image has no curl; the service asks itself.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["dotnet", "Warp.Http.dll", "--health"]
ENTRYPOINT ["dotnet", "Warp.Http.dll"]
