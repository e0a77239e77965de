import { type BoxFile, type BoxKeys, listBoxFiles, quoteForShell, SETUP_PATH } from './box-files.ts';
import type { BoxSpec } from './spec.ts';
import type { Templates } from './templates.ts';

/** What the vendor is given to run on first boot. Pure. Secret: it holds the password's hash, model keys and the host key. */
export function renderUserData(spec: BoxSpec, keys: BoxKeys, templates: Templates): string {
  const files = listBoxFiles(spec, keys, templates);
  return spec.provider === 'contabo' ? renderCloudConfig(spec, files) : renderPostInstall(spec, files);
}

/** cloud-init's user-data. JSON is YAML that is read as it was written; YAML writers and readers disagree on `no` or `12:30`. */
function renderCloudConfig(spec: BoxSpec, files: BoxFile[]): string {
  const [label] = spec.hostname.split('.');
  const document = {
    hostname: label,
    fqdn: spec.hostname,
    users: [
      { name: 'spoq', shell: '/bin/bash', groups: ['sudo'], lock_passwd: false, hashed_passwd: spec.password_crypt },
    ],
    ssh_pwauth: true,
    write_files: files.map(({ path, mode, content }) => ({
      path,
      permissions: mode,
      owner: 'root:root',
      encoding: 'b64',
      content: encode(content),
    })),
    runcmd: [[SETUP_PATH]],
  };
  return `#cloud-config\n${JSON.stringify(document, null, 1)}\n`;
}

/** The same as a script, for a vendor without cloud-init. The password's hash is set by a file descriptor, not by an argument. */
function renderPostInstall(spec: BoxSpec, files: BoxFile[]): string {
  const [label = spec.hostname] = spec.hostname.split('.');
  return `#!/bin/bash
set -euo pipefail
umask 077
write_file() {
  mkdir -p "$(dirname "$3")"
  chmod 0755 "$(dirname "$3")"
  base64 -d > "$3"
  chown "$2" "$3"
  chmod "$1" "$3"
}
${files.map(renderFile).join('\n')}
hostnamectl set-hostname ${quoteForShell(label)}
grep -qF ${quoteForShell(spec.hostname)} /etc/hosts || echo ${quoteForShell(`127.0.1.1 ${spec.hostname} ${label}`)} >> /etc/hosts
id spoq >/dev/null 2>&1 || useradd --create-home --user-group --shell /bin/bash spoq
usermod --append --groups sudo spoq
chpasswd --encrypted <<'SPOQ_PASSWORD'
spoq:${spec.password_crypt}
SPOQ_PASSWORD
${SETUP_PATH}
rm -f /post_install
`;
}

function renderFile({ path, mode, content }: BoxFile): string {
  return `write_file ${mode} root:root ${path} <<'SPOQ_FILE'\n${encode(content).replace(/.{1,76}/g, '$&\n')}SPOQ_FILE`;
}

function encode(content: string): string {
  return Buffer.from(content, 'utf8').toString('base64');
}
