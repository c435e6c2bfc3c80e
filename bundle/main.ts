/** `node bundle/main.ts [FOLDER]`: writes the controller as it ships into FOLDER, `dist` when left out. */
import path from 'node:path';
import { bundleController } from './bundle.ts';

const folder = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, '..', 'dist'));
await bundleController(folder);
