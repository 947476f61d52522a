# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Een tussenevaluatie uit vijf studies
#
# Een tussenevaluatie verzamelt studies: één tabel met alle vijftien indicatoren, elk met een uitspraak of met de
# reden waarom er geen is. Wat samen wordt beoordeeld, wordt samen gecorrigeerd: wie naar vijf uitkomsten kijkt, vindt
# er eerder één die bij toeval afwijkt.
#
# **Waar u op let:** de rijen zónder getal. Die horen erbij en zijn geen teken dat er niets gebeurde.
#
# **Wat u niet mag besluiten:** uit één rij iets over het hele programma, of uit een aantal rijen ‘vier van de vijf’.
#
# De gegevens zijn verzonnen. De eerste keer draait dit notebook de verzameling; staat zij al in een map met bundels,
# noem die dan in de omgevingsvariabele `IMPACT_BUNDLES`.

# %%
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from IPython.display import Markdown, display

import impact

project = Path.cwd() if Path("studies").is_dir() else Path.cwd().parent
bundels = os.environ.get("IMPACT_BUNDLES")


def bundel_van(naam):
    """De bundel van een verzameling: die in de map IMPACT_BUNDLES, of anders wordt zij hier gedraaid."""
    if bundels:
        return impact.read_bundle(Path(bundels) / naam)
    return impact.run(impact.read_collection(project / "studies" / naam), out=project / "out" / naam)


pd.set_option("display.float_format", "{:.4g}".format, "display.max_colwidth", None)


def tabel(rijen, *kolommen):
    """Rijen van de bundel als tabel, met alleen deze kolommen."""
    return pd.DataFrame([asdict(rij) for rij in rijen], columns=list(kolommen))


def zinnen(regels):
    """Zinnen uit de bundel, woordelijk."""
    for regel in regels:
        display(Markdown(regel))


verzameling = impact.read_collection(project / "studies" / "tussenevaluatie-2026")
bundel = bundel_van("tussenevaluatie-2026")

# %% [markdown]
# ## Wat er vooraf is afgesproken

# %% tags=["collection"]
print(verzameling.summary())

# %% [markdown]
# ## De tabel
#
# Alle vijftien indicatoren, in de volgorde van het programma. ‘Niet meetbaar’ en ‘niet bestudeerd’ zijn uitspraken,
# elk met een reden.

# %% tags=["overview"]
bundel.overview()

# %% [markdown]
# ## De uitspraken
#
# Per studie de status en de zinnen, woordelijk zoals in de rapporten. De status zegt of de opzet vooraf is
# vastgelegd; zonder slot is er geen uitspraak, alleen een verkennende uitkomst. Het interval van een studie zelf is
# smaller dan dat van de tabel: de tabel gebruikt het interval dat voor de hele familie tegelijk geldt.

# %% tags=["statements"]
for nummer, uitkomst in enumerate(bundel.outcomes):
    display(Markdown(f"### {uitkomst.outcome['nl']}"))
    zinnen(bundel.sentences(nummer))

# %% [markdown]
# ## De getallen, en de correctie
#
# `p_value` is van de uitkomst alleen, `p_adjusted` van de uitkomst te midden van haar familie.

# %% tags=["p-values"]
schattingen = bundel.tidy()
schattingen.loc[
    schattingen["role"] == "family",
    ["study", "name", "outcome", "estimate", "ci_low", "ci_high", "p_value", "p_adjusted", "unit"],
]

# %% tags=["estimates"]
schattingen.loc[
    schattingen["role"] == "primary",
    ["study", "estimate", "ci_low", "ci_high", "areas", "areas_total", "unit", "standing", "status"],
]

# %% [markdown]
# ## Wat ontbreekt, en waarom

# %% tags=["missing"]
zonder = [rij for rij in bundel.collected.rows if not rij.study]
pd.DataFrame([{"indicator": rij.outcome["nl"], "uitspraak": rij.statement, "reden": rij.why["nl"]} for rij in zonder])

# %% tags=["not-measurable"]
for uitkomst in bundel.outcomes:
    for reden in uitkomst.not_measurable:
        display(Markdown(f"- {uitkomst.outcome['nl']}: {reden}"))

# %% [markdown]
# ## Aanhalen
#
# Elk getal heeft een kenmerk. `impact cite KENMERK BUNDEL` geeft de hele zin met interval, status en verwijzing,
# zodat niemand het getal zonder zijn voorbehoud hoeft over te nemen.

# %% tags=["addresses"]
kenmerken = schattingen.loc[schattingen["role"] == "primary", ["study", "address"]]
kenmerken

# %% tags=["cite"]
code = "from impact.cli import main; main()"
woorden = ["cite", kenmerken["address"].iloc[0], str(bundel.path), "--style", "apa"]
klaar = subprocess.run([sys.executable, "-c", code, *woorden], capture_output=True, encoding="utf-8", check=True)
print(klaar.stdout)

# %% [markdown]
# ## Controleren
#
# `impact verify` gaat na of de bundel is zoals hij is gemaakt, met alle studies erin, en of de getallen volgen uit de
# opgeslagen sommen. De hele berekening overdoen kan ook: `impact verify BUNDEL --rerun`.

# %% tags=["verify"]
impact.verify(bundel.path, data=[project])

# %% [markdown]
# ## Rapport
#
# Hetzelfde in andere vormen: `report.html` in de map, en op verzoek als docx, Excel, LaTeX of platte tekst. Hier het
# begin van de platte tekst van de eerste studie.

# %% tags=["report"]
print("\n".join(bundel.report("text").decode("utf-8").splitlines()[:24]))

# %% [markdown]
# ## Wat u hieruit niet kunt opmaken
#
# - Dat het programma als geheel iets deed of niet deed. Tien van de vijftien indicatoren hebben hier geen studie.
# - Dat een uitkomst zonder aangetoond verschil ‘geen verschil’ is. Kijk naar het interval en naar het kleinste
#   verschil dat telt.
# - Dat een kleine p-waarde een groot verschil is. Leg het verschil naast het kleinste verschil dat telt.
