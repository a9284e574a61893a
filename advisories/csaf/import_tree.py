"""From a document's product tree to named products and groups (CSAF 2.0, section 3.2.2)."""

from __future__ import annotations

from typing import Any, Final

from advisories.csaf.losses import Node
from advisories.csaf.readers import shaped, text, uri, word
from advisories.facts.model import NAMED_PRODUCTS_MAX
from advisories.facts.products import BRANCHES_MAX
from advisories.facts.vocabulary import BRANCHES, CPE, HASH, PURL, RELATIONS

_CPE: Final = shaped(CPE, "a CPE name")
_PURL: Final = shaped(PURL, "a package URL")
_HASH: Final = shaped(HASH, "a digest of at least 32 hexadecimal digits")
_LISTS: Final = {
    "model_numbers": ("model_numbers", text),
    "serial_numbers": ("serial_numbers", text),
    "skus": ("skus", text),
    "sbom_urls": ("sbom_urls", uri),
}


class Products:
    """Products in the order of the document."""

    def __init__(self) -> None:
        self.named: Final[dict[str, dict[str, Any]]] = {}
        self.groups: Final[dict[str, dict[str, Any]]] = {}

    def read(self, tree: Node) -> None:
        """Take over everything in ``product_tree``."""
        for branch in tree.items("branches"):
            self._branch(branch, [])
        for item in tree.items("full_product_names"):
            self._product(item, {})
        for item in tree.items("relationships"):
            self._relation(item)
        for item in tree.items("product_groups", NAMED_PRODUCTS_MAX):
            self._group(item)

    def _branch(self, node: Node, above: list[dict[str, str]]) -> bool:
        """Take over a branch, and say whether a product below it was."""
        category, name = node.take("category", word(BRANCHES)), node.take("name", text)
        if category is None or name is None or len(above) >= BRANCHES_MAX:
            node.drop(
                f"products lie at most {BRANCHES_MAX} branches deep"
                if category and name
                else "a branch needs a category and a name"
            )
            return False
        path = [*above, {"category": category, "name": name}]
        product = node.below("product")
        found = product is not None and self._product(product, {"branches": path})
        for below in node.items("branches"):
            found = self._branch(below, path) or found
        if not found:
            node.lose("category", "no product hangs from the branch")
            node.lose("name", "no product hangs from the branch")
        return found

    def _relation(self, node: Node) -> None:
        product = node.below("full_product_name")
        relation = {
            "category": node.take("category", word(RELATIONS)),
            "product": node.take("product_reference", text),
            "of": node.take("relates_to_product_reference", text),
        }
        whole = product is not None and None not in relation.values()
        if not whole or product is None or not self._product(product, {"relation": relation}):
            node.drop("a relationship needs a category, a product of its own and two others")

    def _product(self, node: Node, rest: dict[str, Any]) -> bool:
        name, key = node.take("name", text), node.take("product_id", text)
        helper = node.below("product_identification_helper")
        identification = _identification(helper) if helper is not None else {}
        why = ""
        if name is None or key is None:
            why = "a product needs a name and an id"
        elif key in self.named:
            why = "the product id stands for another product already"
        elif len(self.named) >= NAMED_PRODUCTS_MAX:
            why = f"the facts hold at most {NAMED_PRODUCTS_MAX} products"
        if why or key is None:
            node.drop(why)
            return False
        self.named[key] = {
            "name": name,
            **rest,
            **({"identification": identification} if identification else {}),
        }
        return True

    def _group(self, node: Node) -> None:
        key, products = node.take("group_id", text), node.each("product_ids", text)
        summary = node.take("summary", text)
        if key is None or not products or key in self.groups:
            node.drop("a group needs an id of its own and products")
            return
        self.groups[key] = {"products": products, **({"summary": summary} if summary else {})}


def _identification(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"cpe": node.take("cpe", _CPE), "purl": node.take("purl", _PURL)}
    found["hashes"] = [made for item in node.items("hashes") if (made := _hashes(item))]
    found |= {key: node.each(name, read) for name, (key, read) in _LISTS.items()}
    found["uris"] = [made for item in node.items("x_generic_uris") if (made := _uri(item))]
    return {key: value for key, value in found.items() if value}


def _hashes(node: Node) -> dict[str, Any] | None:
    filename = node.take("filename", text)
    digests: dict[str, str] = {}
    for item in node.items("file_hashes"):
        algorithm, value = item.take("algorithm", text), item.take("value", _HASH)
        if algorithm is None or value is None or algorithm in digests:
            item.drop("a digest needs an algorithm, which counts once for a file, and a value")
        else:
            digests[algorithm] = value
    if filename is None or not digests:
        node.drop("digests need a file name and at least one value")
        return None
    return {"filename": filename, "hashes": digests}


def _uri(node: Node) -> dict[str, str] | None:
    namespace, address = node.take("namespace", uri), node.take("uri", uri)
    if namespace is None or address is None:
        node.drop("such a name needs a namespace and an address")
        return None
    return {"namespace": namespace, "uri": address}
