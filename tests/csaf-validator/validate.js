// Reads paths of CSAF 2.0 documents, one a line, and prints for each a JSON line with the errors of every
// mandatory test. One process for all of them: starting node costs more than validating.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

// The library lies where it was installed, which is the working directory, and not beside this file.
const installed = createRequire(`${process.cwd()}/package.json`)
const load = (name) => import(pathToFileURL(installed.resolve(`@secvisogram/csaf-validator-lib/${name}`)))
const { default: validate } = await load('validate.js')
const basic = Object.values(await load('basic.js'))

for (const path of readFileSync(0, 'utf-8').split('\n').filter(Boolean)) {
  const found = await validate(basic, JSON.parse(readFileSync(path, 'utf-8')))
  const errors = found.tests.flatMap((test) =>
    test.errors.map((error) => `${test.name} ${error.instancePath}: ${error.message}`)
  )
  console.log(JSON.stringify({ path, valid: found.isValid, errors }))
}
