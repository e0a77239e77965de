/** What a test needs of a machine to compare it. */
export interface Inside {
  /** Runs a shell script as root. */
  exec(script: string): Promise<{ code: number; stdout: string; stderr: string }>;
}

/**
 * One thing on a disk. `mtime` in seconds; `content` is a file's SHA-256, a link's target, else empty: also of files of packages
 * (/usr but /usr/local), whose sizes, times and versions say enough.
 */
export interface TreeEntry {
  path: string;
  kind: string;
  mode: string;
  owner: string;
  size: string;
  mtime: string;
  content: string;
}
export type Tree = Map<string, TreeEntry>;

const READ_TREE = String.raw`
set -eu
prune() { find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp \) -prune -o "$@"; }
prune -printf '%p\t%y\t%m\t%u:%g\t%s\t%T@\t%l\n'
echo
prune -path '/usr/[a-km-z]*' -prune -o -path '/usr/lib*' -prune -o -type f -print0 | xargs -0 sha256sum`;

/** Everything on a machine's disk. What is made anew at each boot (/run, /tmp) is not on it. */
export async function readTree(box: Inside): Promise<Tree> {
  const { code, stdout, stderr } = await box.exec(READ_TREE);
  if (code !== 0) throw new Error(`the tree could not be read: ${stderr}`);
  const [entries = '', sums = ''] = stdout.split('\n\n');
  const digests = new Map(sums.split('\n').map((line) => [line.slice(66), line.slice(0, 64)]));
  const tree: Tree = new Map();
  for (const line of entries.split('\n')) {
    const [path = '', kind = '', mode = '', owner = '', size = '', mtime = '', target = ''] = line.split('\t');
    const isFolder = kind === 'd';
    const content = kind === 'f' ? (digests.get(path) ?? '') : target;
    // How large a folder is tells only how the file system keeps it.
    tree.set(path, { path, kind, mode, owner, size: isFolder ? '' : size, mtime, content });
  }
  return tree;
}

export type Field = Exclude<keyof TreeEntry, 'path'>;

/** What differs, one line each: `/etc/motd: mode 644, 600`. Paths that match one of `ignored` are left out. */
export function diffTrees(one: Tree, other: Tree, fields: readonly Field[], ignored: readonly RegExp[]): string[] {
  const paths = [...new Set([...one.keys(), ...other.keys()])].filter(
    (path) => !ignored.some((each) => each.test(path)),
  );
  return paths.toSorted().flatMap((path) => {
    const [left, right] = [one.get(path), other.get(path)];
    if (left === undefined || right === undefined) return [`${path}: only in the ${left ? 'first' : 'second'}`];
    return fields
      .filter((field) => left[field] !== right[field])
      .map((field) => `${path}: ${field} ${left[field]}, ${right[field]}`);
  });
}

/** What a box is, besides its files: each a question to the machine, answered in lines whose order means nothing. */
const QUESTIONS = {
  packages: String.raw`dpkg-query -W -f '\${Package} \${Version} \${db:Status-Status}\n'`,
  // By name: ids are given in the order in which packages and vendors make accounts.
  users: `getent passwd | awk -F: '{ print $1, $6, $7 }'`,
  passwords: `passwd --all --status | awk '{ print $1, $2 }'`,
  memberships: `getent group | awk -F: '$4 != "" { print $1, $4 }'`,
  sudo: `cat /etc/sudoers; find /etc/sudoers.d -type f -exec cat {} +`,
  listening: `ss --no-header -tulnp | sed -E 's/^(tcp|udp) .* (\\S+):(\\S+) +\\S+:\\S+ +users:\\(\\("([^"]+)".*/\\1 \\2:\\3 \\4/'`,
  firewall: 'ufw status verbose; ufw show added',
  units: "systemctl list-unit-files --no-legend --no-pager | awk '{ print $1, $2 }'",
  failed: 'systemctl --failed --no-legend --plain --no-pager',
  sshd: 'sshd -T',
  apt: `apt-config dump | grep -E '^(APT::Periodic|Unattended-Upgrade)::'`,
  names: 'uname -n; cat /etc/hostname; grep 127.0.1.1 /etc/hosts; hostname --fqdn',
};
export type BoxDescription = Record<keyof typeof QUESTIONS, string[]>;

export async function describeBox(box: Inside): Promise<BoxDescription> {
  const answers = await Promise.all(
    Object.entries(QUESTIONS).map(async ([name, script]) => {
      const { code, stdout, stderr } = await box.exec(script);
      if (code !== 0) throw new Error(`${name}: ${script} ended with ${code}: ${stderr}`);
      return [name, stdout.trim().split('\n').filter(Boolean).toSorted()] as const;
    }),
  );
  return Object.fromEntries(answers) as BoxDescription;
}
