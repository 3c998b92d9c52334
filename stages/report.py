"""Report: one HTML page and a model card, from metric files alone."""

import _bootstrap
from thce import files
from thce.evaluation import card, report


def main() -> None:
    sources = report.load("metrics")
    files.write_text("metrics/report.html", report.page(sources))
    files.write_text("metrics/model_card.md", card.text(sources))


if __name__ == "__main__":
    _bootstrap.run(main)
