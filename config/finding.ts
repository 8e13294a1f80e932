import type { ConfigPath } from './config-error.js';

/** A fault without its position in the file. `at`: whether the key or its value is wrong. */
export interface Finding {
  readonly path: ConfigPath;
  readonly at: 'key' | 'value';
  readonly message: string;
  readonly remedy: string;
}

/** A fault of the value at `path`, from a text of the form `fault; what to write instead`. */
export function finding(path: ConfigPath, text: string, at: Finding['at'] = 'value'): Finding {
  const split = text.indexOf('; ');
  return split < 0
    ? { path, at, message: text, remedy: '' }
    : { path, at, message: text.slice(0, split), remedy: text.slice(split + 2) };
}
