// Compares our hotkeys with @polkadot/util-crypto, the wallets' own library.
//
//   node polkadot.mjs make  > polkadot.json      what it derives, encodes and signs
//   node polkadot.mjs check templar.json > checked.json   what it says of our signatures
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { u8aToHex, hexToU8a, stringToU8a } from '@polkadot/util';
import {
  cryptoWaitReady, decodeAddress, encodeAddress, mnemonicToMiniSecret, packageInfo,
  sr25519PairFromSeed, sr25519Sign, sr25519Verify,
} from '@polkadot/util-crypto';

await cryptoWaitReady();
const [, , mode, file] = process.argv;
const library = `@polkadot/util-crypto ${packageInfo.version}`;

// Phrases of each length, with the checksums that BIP-39 demands.
const phrases = [
  'bottom drive obey lake curtain smoke basket hold race lonely fit walk',
  'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about',
  'legal winner thank year wave sausage worth useful legal winner thank yellow',
  'letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid letter always',
  'zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote',
];
const messages = ['', 'this is a message', 'gradient of window 7', 'ü—\u0000', 'x'.repeat(1000)];

function make() {
  const keys = phrases.map((phrase, i) => {
    const seed = mnemonicToMiniSecret(phrase);
    const pair = sr25519PairFromSeed(seed);
    const message = stringToU8a(messages[i]);
    return {
      phrase, seed: u8aToHex(seed), public: u8aToHex(pair.publicKey), address: encodeAddress(pair.publicKey, 42),
      message: u8aToHex(message), signature: u8aToHex(sr25519Sign(message, pair)),
    };
  });
  const addresses = [];
  for (let i = 0; i < 32; i++) {
    const raw = createHash('sha256').update(`address ${i}`).digest();
    addresses.push({ public: u8aToHex(raw), address: encodeAddress(raw, 42) });
  }
  const foreign = [0, 2, 13, 64, 255].map((prefix) => encodeAddress(hexToU8a(keys[0].public), prefix));
  return { library, keys, addresses, foreign };
}

function check() {
  const text = readFileSync(file);
  const results = JSON.parse(text).map((c) => ({
    address: c.address === encodeAddress(sr25519PairFromSeed(mnemonicToMiniSecret(c.phrase)).publicKey, 42),
    signature: sr25519Verify(hexToU8a(c.message), hexToU8a(c.signature), decodeAddress(c.address)),
    altered: sr25519Verify(stringToU8a('something else'), hexToU8a(c.signature), decodeAddress(c.address)),
  }));
  return { library, sha256: createHash('sha256').update(text).digest('hex'), results };
}

console.log(JSON.stringify(mode === 'make' ? make() : check(), null, 1));
