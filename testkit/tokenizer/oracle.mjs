// Compares testdata/NAME.ids.json with the ids of Hugging Face's JavaScript implementation.
// Usage: npm install && node oracle.mjs
import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";

const read = (name) => JSON.parse(readFileSync(new URL(`testdata/${name}`, import.meta.url), "utf8"));
const documents = read("documents.json");
for (const name of ["gpt2", "llama3", "llama2", "metaspace"]) {
  const tokenizer = new Tokenizer(read(`${name}.json`), {});
  const want = read(`${name}.ids.json`);
  const apart = documents.filter((d, i) => {
    const ids = Array.from(tokenizer.encode(d, { add_special_tokens: false }).ids, Number);
    return JSON.stringify(ids) !== JSON.stringify(want[i]);
  });
  console.log(name, `${documents.length - apart.length} of ${documents.length} documents agree`, ...apart.map((d) => JSON.stringify(d)));
}
