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
WORKDIR /app
COPY --from=build /app/dist ./dist
# A number, so that Kubernetes can see that it is not root. Nothing is written to the file system.
USER 65532:65532
EXPOSE 8080 8081
# The flags are those of lab/demo/controller.ts, which says why.
ENTRYPOINT ["node", "--enable-source-maps", "--max-semi-space-size=8", "dist/main.mjs"]
