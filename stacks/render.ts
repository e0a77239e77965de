import { gzipSync } from 'node:zlib';
import { type BoxFile, type BoxKeys, listBoxFiles, SETUP_PATH } from './box-files.ts';
import type { BoxSpec } from './spec.ts';
import type { Templates } from './templates.ts';

/**
 * What the vendor is given to run on first boot. Pure. Secret: it holds the password's hash, model keys and the host key. At both
 * vendors it does two things: it writes the same files, and it runs the same setup.sh, which does all the rest.
 */
export function renderUserData(spec: BoxSpec, keys: BoxKeys, templates: Templates): string {
  const files = listBoxFiles(spec, keys, templates);
  return spec.provider === 'contabo' ? renderCloudConfig(files) : renderPostInstall(files);
}

/**
 * cloud-init's user-data. JSON is YAML that is read as it was written; YAML writers and readers disagree on `no` or `12:30`.
 * cloud-init writes files before sshd starts, so the box is never open with another configuration than ours.
 */
function renderCloudConfig(files: BoxFile[]): string {
  const document = {
    // setup.sh gives the name and makes the account. A list without `default`: no account of the image's own; root's password is locked.
    preserve_hostname: true,
    users: [{ name: 'root' }],
    write_files: files.map(({ path, mode, content }) => ({
      path,
      permissions: mode,
      owner: 'root:root',
      encoding: 'gz+b64',
      content: pack(content),
    })),
    runcmd: [['bash', SETUP_PATH]],
  };
  return `#cloud-config\n${JSON.stringify(document, null, 1)}\n`;
}

/** The same for a vendor without cloud-init. A file that is there already with this content is left alone. */
function renderPostInstall(files: BoxFile[]): string {
  return `#!/bin/bash
set -euo pipefail
umask 077
new=$(mktemp)
trap 'rm -f "$new" /post_install' EXIT
write_file() {
  (umask 022; mkdir -p "$(dirname "$3")")
  base64 -d | gunzip > "$new"
  cmp -s "$new" "$3" || install -m "$1" -o "\${2%:*}" -g "\${2#*:}" "$new" "$3"
}
${files.map(renderFile).join('\n')}
bash ${SETUP_PATH}
`;
}

function renderFile({ path, mode, content }: BoxFile): string {
  return `write_file ${mode} root:root ${path} <<'SPOQ_FILE'\n${pack(content).replace(/.{1,76}/g, '$&\n')}SPOQ_FILE`;
}

/** Vendors limit the size of the document: Hostinger to 48 KB, Contabo to what it does not say. */
function pack(content: string): string {
  return gzipSync(content, { level: 9 }).toString('base64');
}
