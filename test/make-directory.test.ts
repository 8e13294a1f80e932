import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openStateDirectory } from '../src/demo/state-directory.js';
import { makeDirectory, makeStateDirectory } from '../src/make-directory.js';
import { lockDirectory } from '../src/queue/embedded/directory-lock.js';
import { useDirectory } from './support/use-directory.js';

const above = useDirectory();

describe('a directory to be made', () => {
  it('comes with every level above it that is missing, for its owner alone, and stays if it is there', () => {
    const directory = join(above(), 'a', 'b', 'c');
    makeDirectory(directory);
    makeDirectory(directory);
    for (const made of [join(above(), 'a'), directory]) expect(statSync(made).mode & 0o777).toBe(0o700);
  });

  it('is an error where a file or a link that leads nowhere is in its way', () => {
    writeFileSync(join(above(), 'file'), '');
    symlinkSync(join(above(), 'nowhere'), join(above(), 'link'));
    for (const way of ['file', 'link']) {
      expect(() => makeDirectory(join(above(), way))).toThrow('EEXIST');
      expect(() => makeDirectory(join(above(), way, 'below'))).toThrow(/ENOTDIR|EEXIST/);
    }
  });

  // Node's own `recursive` tries forever there.
  it.runIf(existsSync('/proc/self'))(
    'is an error where the file system denies that its parent is there',
    async () => {
      expect(() => lockDirectory('/proc/nope/state')).toThrow(
        expect.objectContaining({
          code: 'ERR_QUEUE_UNREACHABLE',
          message: expect.stringContaining('the state directory /proc/nope/state cannot be written: ENOENT'),
        }),
      );
      await expect(openStateDirectory('/proc/nope')).rejects.toThrow(
        'the state directory /proc/nope cannot be created: ENOENT',
      );
    },
  );
});

describe('a state directory', () => {
  const directory = () => join(above(), 'state');
  const file = (name: string, mode = 0o600) => {
    writeFileSync(join(directory(), name), 'text', { mode });
    chmodSync(join(directory(), name), mode);
  };
  beforeEach(() => mkdirSync(directory(), { mode: 0o700 }));

  it('is made, and is used with what it made itself', () => {
    makeStateDirectory(join(above(), 'new'));
    expect(statSync(join(above(), 'new')).mode & 0o777).toBe(0o700);
    file('decisions.db');
    file('trail-key.pub', 0o644);
    symlinkSync(join(above(), 'another-disk'), join(directory(), 'queue.db'));
    chmodSync(directory(), 0o755);
    makeStateDirectory(directory(), 'daemon');
  });

  it.each([
    [
      'that others can write in',
      () => chmodSync(directory(), 0o777),
      'others can write in it; run chmod 0700',
    ],
    [
      'that others can write in but not delete',
      () => chmodSync(directory(), 0o1777),
      'others can write in it',
    ],
    ['that its group can write in', () => chmodSync(directory(), 0o770), 'others can write in it'],
    [
      'with a file that others can write',
      () => file('journal.db', 0o666),
      '"journal.db" in it can be written',
    ],
    [
      'with a file that has a second name',
      () => {
        writeFileSync(join(above(), 'elsewhere'), '');
        linkSync(join(above(), 'elsewhere'), join(directory(), 'space.reserve'));
      },
      '"space.reserve" in it has a second name',
    ],
  ])('is refused: one %s', (_, spoil, why) => {
    spoil();
    for (const by of ['daemon', 'command'] as const)
      expect(() => makeStateDirectory(directory(), by)).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIG', message: expect.stringContaining(why) }),
      );
    expect(() => lockDirectory(directory())).toThrow(why);
  });

  // Only root can give files away.
  describe.runIf(process.getuid?.() === 0)('with something of another user', () => {
    const OTHER = 54_321;

    it('is refused, whatever it is', () => {
      for (const name of [
        'decisions.db',
        'decisions.db-wal',
        'queue.db-shm',
        'trail-key.pem',
        'trail-key.pub',
      ]) {
        file(name);
        chownSync(join(directory(), name), OTHER, OTHER);
        expect(() => makeStateDirectory(directory(), 'daemon')).toThrow(
          `"${name}" in it belongs to the user 54321`,
        );
        rmSync(join(directory(), name));
        symlinkSync('/etc/passwd', join(directory(), name));
        lchownSync(join(directory(), name), OTHER, OTHER);
        expect(() => makeStateDirectory(directory(), 'command')).toThrow(name);
        expect(lstatSync('/etc/passwd').size).toBeGreaterThan(0);
        rmSync(join(directory(), name));
      }
    });

    it("is refused by a daemon if it is another user's; a command of root uses it, but none of its links", () => {
      file('decisions.db');
      chownSync(join(directory(), 'decisions.db'), OTHER, OTHER);
      chownSync(directory(), OTHER, OTHER);
      expect(() => makeStateDirectory(directory(), 'daemon')).toThrow(
        'it belongs to the user 54321; give it to',
      );
      makeStateDirectory(directory());
      symlinkSync('/etc/shadow', join(directory(), 'journal.db'));
      lchownSync(join(directory(), 'journal.db'), OTHER, OTHER);
      expect(() => makeStateDirectory(directory())).toThrow('"journal.db" in it is a link of another user');
    });

    it('is used if it is a volume of Kubernetes', () => {
      const [group = 0] = process.getgroups?.() ?? [];
      chownSync(directory(), 0, group);
      chmodSync(directory(), 0o2775);
      makeStateDirectory(directory(), 'daemon');
      chownSync(directory(), 0, OTHER);
      chmodSync(directory(), 0o2775);
      expect(() => makeStateDirectory(directory(), 'daemon')).toThrow('others can write in it');
    });

    // At each start of a pod Kubernetes gives everything in a volume to its group (fsGroup), and lets the group write.
    it.each(['itself', 'a directory in it'])(
      'is used at the second start of a pod: the volume, %s',
      (what) => {
        const [group = 0] = process.getgroups?.() ?? [];
        chownSync(directory(), 0, group);
        chmodSync(directory(), 0o2775);
        const state = what === 'itself' ? directory() : join(directory(), 'state');
        makeStateDirectory(state, 'daemon');
        writeFileSync(join(state, 'journal.db'), '');
        chmodSync(state, what === 'itself' ? 0o2770 : 0o770);
        chmodSync(join(state, 'journal.db'), 0o660);
        makeStateDirectory(state, 'daemon');
        chownSync(join(state, 'journal.db'), 0, OTHER);
        expect(() => makeStateDirectory(state, 'daemon')).toThrow(
          '"journal.db" in it can be written by others',
        );
        chmodSync(join(state, 'journal.db'), 0o600);
        chmodSync(state, 0o2777);
        expect(() => makeStateDirectory(state, 'daemon')).toThrow('others can write in it');
      },
    );
  });
});
