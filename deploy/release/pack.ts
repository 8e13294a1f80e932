import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pack } from './package.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
console.log(pack(root, process.argv[2] ?? '.').file);
