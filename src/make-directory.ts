import { existsSync, lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { configError } from './errors.js';

/**
 * Makes a directory and what is missing above it, for this user alone. Throws the system's error. Not by `recursive`
 * of Node: where a file system answers ENOENT although the parent is there, as /proc does, that tries forever.
 */
export function makeDirectory(directory: string): void {
  const path = resolve(directory);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    const parent = dirname(path);
    const isParentMissing =
      error instanceof Error && 'code' in error && error.code === 'ENOENT' && !existsSync(parent);
    if (!isParentMissing) throw error;
    makeDirectory(parent);
    makeDirectory(path);
  }
}

const ROOT = 0;
const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_OTHERS = 0o002;
const SET_GROUP_ID = 0o2000;

/**
 * Makes a state directory, or refuses one in which somebody else could put a file or a link, or has put one: scopemesh would
 * write through the link, believe the state and sign with the key. Nobody else can change what it finds: the directory is
 * this user's. A command of root may use the directory of the daemon's user; the daemon uses its own alone. Throws the
 * system's error, or SyncError ERR_CONFIG.
 */
export function makeStateDirectory(directory: string, by: 'daemon' | 'command' = 'command'): void {
  makeDirectory(directory);
  // Where there are no users there is nothing to check.
  const user = process.getuid?.();
  if (user === undefined) return;
  const { uid, gid, mode } = statSync(directory);
  // A volume of Kubernetes belongs to root and to the group of the pod, which may write in all of it after each start.
  const volume = [directory, dirname(resolve(directory))]
    .map((path) => statSync(path))
    .find((each) => each.uid === ROOT && (each.mode & SET_GROUP_ID) !== 0);
  const isOfPod = (group: number) => group === volume?.gid && process.getgroups?.().includes(group) === true;
  const canOthersWrite = (each: { readonly gid: number; readonly mode: number }) =>
    (each.mode & (isOfPod(each.gid) ? WRITABLE_BY_OTHERS : WRITABLE_BY_GROUP | WRITABLE_BY_OTHERS)) !== 0;
  const owners = new Set(user === ROOT && by === 'command' ? [ROOT, uid] : [ROOT, user]);
  const refuse = (why: string, remedy: string) =>
    configError(`the state directory ${resolve(directory)} is not safe: ${why}; ${remedy}`);
  const another = 'or set state.directory to a directory that does not exist yet, also one inside this one';
  if (!owners.has(uid))
    throw refuse(`it belongs to the user ${uid}`, `give it to the user ${user}, ${another}`);
  if (canOthersWrite({ gid, mode }))
    throw refuse(
      'others can write in it',
      `run chmod 0700 on it and look for files that are not yours, ${another}`,
    );
  for (const name of readdirSync(directory)) {
    const file = lstatSync(join(directory, name), { throwIfNoEntry: false });
    if (file === undefined) continue;
    const isOurs = file.uid === user || file.uid === ROOT;
    const isFile = file.isFile();
    const fault = !owners.has(file.uid)
      ? `belongs to the user ${file.uid}`
      : file.isSymbolicLink() && !isOurs
        ? 'is a link of another user'
        : isFile && canOthersWrite(file)
          ? 'can be written by others'
          : // A process that stopped while it made its key leaves two names.
            isFile && file.nlink > 1 && !name.startsWith('trail-key.pem')
            ? 'has a second name elsewhere (a hard link)'
            : undefined;
    if (fault !== undefined)
      throw refuse(
        `${JSON.stringify(name)} in it ${fault}`,
        'find out who put it there, then remove or replace it',
      );
  }
}
