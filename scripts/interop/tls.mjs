// Keys and certificates of a few minutes, by GnuTLS's tools.
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** A file of one user's pre-shared key. @returns {Promise<string>} its path */
export async function makeKeys(place, user) {
  const file = place.path('keys.psk');
  await place.run('psktool', ['-u', user, '-p', file]);
  return file;
}

/** An authority, and certificates of a server on this machine and of a client. @returns {Promise<string>} their folder */
export async function makeCertificates(place) {
  const folder = place.mkdir('pki');
  const at = (name) => path.join(folder, name);
  const make = async (name, text, ...how) => {
    writeFileSync(at(`${name}.info`), text.join('\n'));
    await place.run('certtool', ['--generate-privkey', '--ecdsa', '--outfile', at(`${name}-key.pem`)]);
    const own = ['--load-privkey', at(`${name}-key.pem`), '--template', at(`${name}.info`), '--outfile', at(`${name}-cert.pem`)];
    await place.run('certtool', [...how, ...own]);
  };
  await make('ca', ['cn = rumpblk tests', 'ca', 'cert_signing_key', 'expiration_days = 1'], '--generate-self-signed');
  const signed = ['--generate-certificate', '--load-ca-certificate', at('ca-cert.pem'), '--load-ca-privkey', at('ca-key.pem')];
  const server = ['cn = localhost', 'dns_name = localhost', 'ip_address = 127.0.0.1', 'tls_www_server'];
  await make('server', [...server, 'signing_key', 'expiration_days = 1'], ...signed);
  await make('client', ['cn = client', 'tls_www_client', 'signing_key', 'expiration_days = 1'], ...signed);
  return folder;
}
