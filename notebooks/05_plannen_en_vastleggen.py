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
# # Plannen en vastleggen
#
# Voordat iemand de uitkomst kent: kan deze opzet het verschil zien dat ertoe doet, en hoe leggen we vast wat we gaan
# doen? Dit notebook gaat de hele weg van een studie, in een tijdelijke map: plan, slot, logboek, run, wijziging,
# controle.
#
# **Waar u op let:** het kleinste verschil dat te zien is, naast het kleinste verschil dat telt.
#
# **Wat u niet mag besluiten:** dat er niets gebeurde omdat een te kleine opzet niets zag. Dat heet *niet meetbaar*.
#
# De gegevens zijn verzonnen.

# %%
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

import impact

project = Path.cwd() if Path("studies").is_dir() else Path.cwd().parent
pd.set_option("display.float_format", "{:.4g}".format, "display.max_colwidth", None)

tijdelijk = tempfile.TemporaryDirectory(prefix="impact-")
werkmap = Path(tijdelijk.name)
studiemap = werkmap / "studies" / "eerste-studie"
studiemap.mkdir(parents=True)
(werkmap / "data_synthetic").mkdir()
shutil.copy(project / "studies" / "eerste-studie" / "study.yaml", studiemap)
for naam in ("eerste-studie.csv", "eerste-studie-wijken.csv"):
    shutil.copy(project / "data_synthetic" / naam, werkmap / "data_synthetic")


def opdracht(*woorden):
    """Een opdracht zoals op de opdrachtregel, in de tijdelijke map."""
    print("$ impact", *woorden)
    code = "from impact.cli import main; main()"
    klaar = subprocess.run(
        [sys.executable, "-c", code, *woorden], cwd=werkmap, capture_output=True, encoding="utf-8", check=False
    )
    print(klaar.stdout, klaar.stderr, sep="", end="")


def wijzig(plek, oud, nieuw):
    """Verander een tekst in de studie."""
    bestand = plek / "study.yaml"
    tekst = bestand.read_text(encoding="utf-8")
    assert oud in tekst
    bestand.write_text(tekst.replace(oud, nieuw), encoding="utf-8")


# %% [markdown]
# De alternatieven en de tweede berekening van de onzekerheid laten we hier weg; dat maakt alles korter.

# %%
tekst = (studiemap / "study.yaml").read_text(encoding="utf-8")
begin, eind = tekst.index("alternatives:"), tekst.index("checks:")
wijzig(studiemap, tekst[begin:eind], "")
wijzig(studiemap, "beside: [score-flip]", "beside: []")

# %% [markdown]
# ## Het plan
#
# `plan` neemt alleen cijfers van vóór de start, leert daaruit hoe wijken en gemeenten uit zichzelf schommelen, en
# trekt werelden zonder programma. In elk daarvan draait de opzet. Hier 40 werelden, zodat u niet hoeft te wachten;
# een studie neemt er 500. De fout door het trekken staat achter elk getal.

# %% tags=["plan"]
plan = impact.plan(impact.read_study(studiemap), draws=40)
plan

# %% tags=["plan-summary"]
print(plan.summary())

# %% [markdown]
# `detectable` is wat met 80% kans te zien is, `smallest` wat telt volgens de studie, `power` de kans om dat te zien,
# en `size` hoe vaak de opzet iets ziet dat er niet is.

# %% tags=["plan-table"]
plan.tidy()[["inference", "smallest", "detectable", "power", "size", "coverage"]]

# %% tags=["figure-plan"]
impact.picture(
    plan.plot.estimates(),
    "Het kleinste verschil dat te zien is",
    f"Te zien vanaf {plan.tidy()['detectable'].iloc[0]:.2f} procentpunt; "
    f"wat telt is {plan.tidy()['smallest'].iloc[0]}.",
)

# %% [markdown]
# ## Te weinig om te zien
#
# Dezelfde studie voor vier van de gebieden, met twee vergelijkingswijken per wijk. Er verandert verder niets, ook
# niet wat telt. De studie eist een kans van 80% om dat te zien (`needs`); die is er niet, en dan weigert `lock`,
# tenzij iemand opschrijft waarom het toch moet. Zo'n uitkomst heet *niet meetbaar*: ‘geen verschil gevonden’ zou
# niets zeggen.
#
# Het kleinste verschil dat telt achteraf verhogen tot wat te zien is, is geen oplossing: dan beslist de meting wat
# ertoe doet.

# %% tags=["too-small"]
kleinmap = werkmap / "studies" / "te-klein"
shutil.copytree(studiemap, kleinmap, ignore=shutil.ignore_patterns("study.plan.json"))
wijken = pd.read_csv(werkmap / "data_synthetic" / "eerste-studie-wijken.csv", sep=";", dtype=str, keep_default_na=False)
vier = ["", "arnhem-oost", "breda-noord", "zaandam-oost", "heerlen-noord"]
wijken[wijken["area"].isin(vier)].to_csv(werkmap / "data_synthetic" / "vier-gebieden.csv", sep=";", index=False)
wijzig(kleinmap, "id: eerste-studie", "id: te-klein")
wijzig(kleinmap, "data_synthetic/eerste-studie-wijken.csv", "data_synthetic/vier-gebieden.csv")
wijzig(kleinmap, "ratio: 5", "ratio: 2")
wijzig(kleinmap, "seed: 20261123", "needs: {power: 0.80}\nseed: 20261123")
klein = impact.plan(impact.read_study(kleinmap), draws=40)
klein.tidy()[["areas", "inference", "smallest", "detectable", "power"]]

# %% tags=["too-small-summary"]
print(klein.summary())

# %% tags=["too-small-lock"]
opdracht("lock", "studies/te-klein")

# %% [markdown]
# ## Vastleggen
#
# De studie met alle gebieden kan wel zien wat telt. `lock` legt haar betekenis vast, en de gegevens van de opzet,
# voordat uitkomsten van na de start worden geopend.

# %% tags=["lock"]
opdracht("lock", "studies/eerste-studie")

# %% [markdown]
# Het logboek is een keten: elke regel bevat het controlegetal van de vorige. Een regel wegnemen of veranderen valt
# op. Wie alles opnieuw schrijft, valt niet op; daarom is een slot pas sterk als het elders is gedeponeerd.

# %% tags=["ledger"]
pd.read_json(studiemap / "study.log.jsonl", lines=True)

# %% [markdown]
# ## Wijzigen voordat er iets bekend is
#
# Een wijziging mag, met een reden, en staat voortaan bij elk resultaat.

# %% tags=["amend"]
wijzig(studiemap, "level: 0.95", "level: 0.90")
opdracht("amend", "studies/eerste-studie", "--why", "de commissie vroeg om intervallen van 90%")

# %% [markdown]
# ## De run

# %% tags=["run"]
bundel = impact.run(impact.read_study(studiemap), out=werkmap / "out" / "eerste-studie")
bundel

# %% tags=["status"]
opdracht("status", "studies")

# %% [markdown]
# ## Controleren
#
# Drie vragen: is de bundel nog zoals hij is gemaakt, was de opzet vooraf vastgelegd, en komt er hetzelfde uit als
# iemand het narekent? Wat niet is nagegaan, staat er ook.

# %% tags=["verify"]
impact.verify(bundel.path)

# %% [markdown]
# Verandert iemand één cijfer in de bundel, dan zegt `verify` welk bestand.

# %% tags=["tampered"]
bestand = bundel.path / "tidy.csv"
bestand.write_text(bestand.read_text(encoding="utf-8").replace("primary", "primair"), encoding="utf-8")
print(impact.verify(bundel.path).summary())

# %% [markdown]
# ## Wijzigen nadat de uitkomst bekend is
#
# Dat kan ook, maar dan heet het een afwijking (`deviation`), en dat gaat er niet meer af.

# %% tags=["deviation"]
wijzig(studiemap, "anticipation: 0", "anticipation: 1")
opdracht("amend", "studies/eerste-studie", "--why", "achteraf gezien begon het programma eerder")
opdracht("status", "studies")

# %% [markdown]
# ## Wat u hieruit niet kunt opmaken
#
# - Dat een vastgelegde studie klopt. Vastgelegd zegt dat de keuze niet van de uitkomst afhing, niet dat zij goed
#   was.
# - Dat een plan belooft wat er te zien zal zijn. Het is een verwachting in werelden die op het verleden lijken.
# - Dat een logboek een datum bewijst. Dat doet alleen een deponering bij een ander.

# %%
tijdelijk.cleanup()
