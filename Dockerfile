# The controller as an image: one bundle, its source maps and the licences of what is in it; no packages.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY bundle ./bundle
COPY controller ./controller
RUN npm run build

FROM node:24-slim
ENV NODE_ENV=production
# These and the flags below are those of lab/demo/controller.ts; docs/development.md says what they bring.
ENV MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072
WORKDIR /app
COPY --from=build /app/dist ./dist
# A number, so that Kubernetes can see that it is not root. Nothing is written to the file system.
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["node", "--enable-source-maps", "--max-semi-space-size=8", "dist/main.mjs"]
