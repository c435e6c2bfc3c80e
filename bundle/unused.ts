/** Tells esbuild what in two packages has no effect when it is loaded, so that what nobody uses is left out. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Plugin } from 'esbuild';

/** Loaded, these two cost 45 MB of memory more. */
export const dropUnused: Plugin = {
  name: 'drop-unused',
  setup(build) {
    // Of the client library of Kubernetes we use the kubeconfig; it does not declare that its other files only define.
    build.onResolve({ filter: /^\.\.?\// }, ({ path: target, importer }) =>
      importer.includes('/@kubernetes/client-node/dist/')
        ? { path: path.resolve(path.dirname(importer), target), sideEffects: false }
        : undefined,
    );
    build.onLoad({ filter: /\/@aws-sdk\/.*\/schemas\/schemas_\d+\.js$/ }, async ({ path: file }) => ({
      contents: markPure(await readFile(file, 'utf8')),
    }));
  },
};

/**
 * AWS's clients hold the shape of each of their thousands of messages in a variable. Its keys are computed from constants,
 * and esbuild takes any computed key for an effect; it believes that a call without effects may go.
 */
export function markPure(schemas: string): string {
  return schemas.replaceAll(
    /^((?:export )?(?:var|const) [\w$]+ = )(\[[^;]*?\]);$/gm,
    '$1/* @__PURE__ */ (() => $2)();',
  );
}
