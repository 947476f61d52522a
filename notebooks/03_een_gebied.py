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
# # Een synthetische vergelijking voor één gebied
#
# De vraag komt altijd: *en in ons gebied?* Een synthetische vergelijking (synthetic control) stelt voor één gebied
# een gewogen gemiddelde van andere wijken samen dat vóór de start hetzelfde verloop had. Dit notebook doet dat voor
# één verzonnen gebied en laat zien waarom het antwoord bijna altijd ‘niet te zeggen’ is.
#
# **Waar u op let:** hoe groot de uitslagen zijn in wijken zónder programma. Die spreiding is de maatstaf.
#
# **Wat u niet mag besluiten:** dat een mooi sluitende lijn vóór de start betekent dat de lijn erna klopt.
#
# De gegevens zijn verzonnen; de naam van het gebied is echt, de cijfers niet.

# %%
from pathlib import Path

import pandas as pd
from IPython.display import display

import impact

project = Path.cwd() if Path("studies").is_dir() else Path.cwd().parent
pd.set_option("display.float_format", "{:.4g}".format, "display.max_colwidth", None)
GEBIED = "delft-west"

# %% [markdown]
# ## De gegevens
#
# Het aandeel personen met een uitkering per wijk, 2013 tot en met 2024. Het gebied begon in 2022. Als vergelijking
# dienen wijken buiten de focusgebieden die er niet aan grenzen, en niet in dezelfde gemeente liggen; een wijk die een
# jaar mist, doet niet mee.

# %%
wijken = pd.read_parquet(project / "data_synthetic" / "land-wijken.parquet")
cijfers = pd.read_parquet(project / "data_synthetic" / "land-indicatoren.parquet")
cijfers = cijfers.query("indicator == 'uitkering' and status == 'ok' and '2013' <= period <= '2024'")
gemeente = wijken.set_index("focusgebied").loc[GEBIED, "gemeente"].iloc[0]
tabel = cijfers.merge(wijken, on="region").query(
    "focusgebied == @GEBIED or (focusgebied == '' and grenst_aan == '' and gemeente != @gemeente)"
)
tabel = tabel[tabel["region"].map(tabel["region"].value_counts()).eq(tabel["period"].nunique())]
panel = impact.Panel.from_frame(
    tabel,
    unit="region",
    time="period",
    outcome="value",
    first_treated="start",
    cluster="gemeente",
    area="focusgebied",
    residents="inwoners",
    outcome_unit="procentpunt",
)

# %% tags=["panel"]
panel

# %% [markdown]
# ## De schatting
#
# De synthetische vergelijking en het verschil ermee na de start. De p-waarde komt van nepprogramma's: dezelfde
# berekening voor wijken waar niets gebeurde, en de vraag hoe vaak het verschil daar even groot is ten opzichte van de
# afwijking vóór de start.

# %% tags=["result"]
resultaat = impact.estimate(panel, "synthetic-control", target="unit", inference="placebo-space", seed=1)
resultaat

# %% [markdown]
# Een interval staat er niet bij, en dat is met opzet: met één gebied in één gemeente is er geen herhaling waaruit de
# fout te leren is. Wie er toch een vraagt, krijgt een weigering met de reden.

# %% tags=["refusal"]
gevraagd = impact.estimate(panel, "synthetic-control", target="average", inference="cluster-jackknife")
gevraagd.tidy()[["estimate", "ci_low", "ci_high", "p_value", "status"]]

# %% [markdown]
# ## Verloop en verschil
#
# Links van de start horen de lijnen samen te vallen: daar zijn de gewichten op gekozen. Dat zij het doen, is dus geen
# bewijs. Het verschil rechts is de schatting.

# %% tags=["figure-path"]
impact.picture(
    resultaat.plot.path(of=GEBIED),
    "Het gebied en zijn synthetische vergelijking",
    "Twee lijnen die tot 2021 samenvallen; vanaf 2022 ligt die van het gebied onder die van de vergelijking.",
)

# %% tags=["figure-gap"]
impact.picture(
    resultaat.plot.gap(of=GEBIED),
    "Verschil tussen het gebied en zijn synthetische vergelijking",
    f"Het verschil is 0 tot 2021, en gemiddeld {resultaat.effects.estimate[0]:.2f} procentpunt vanaf 2022.",
)

# %% [markdown]
# ## Waar bestaat de vergelijking uit?

# %% tags=["weights"]
gewichten = resultaat.weights(by="area").sort_values("weight", ascending=False)
gewichten.head(10)

# %% tags=["figure-weights"]
impact.picture(
    resultaat.plot.weights(of=GEBIED),
    "Gewichten van de wijken in de synthetische vergelijking",
    f"De zwaarste van {len(gewichten)} wijken met gewicht is {gewichten['unit'].iloc[0]} "
    f"met {gewichten['weight'].iloc[0]:.3f}.",
)

# %% [markdown]
# ## Diagnose
#
# Lees de laatste regel (`warnings`) als eerste. Met negen jaren en honderden wijken is er altijd wel een mengsel dat
# past; de gewichten zijn dan niet eens eenduidig. Een afwijking van 0 vóór de start (`rmspe`) is hier een
# waarschuwing.

# %% tags=["diagnostics"]
resultaat.diagnostics().set_index("area").T

# %% [markdown]
# ## Wijken waar niets gebeurde
#
# Dezelfde berekening voor nepprogramma's elders. Ligt het gebied midden tussen de lijnen, dan is er niets te zien wat
# niet overal gebeurt.

# %% tags=["placebos"]
nep = impact.placebos(panel, "synthetic-control", target="unit", seed=1)
nep

# %% tags=["figure-placebos"]
impact.picture(
    resultaat.plot.placebos(nep),
    "Het gebied tussen de nepprogramma's",
    f"{len(nep.kept)} lijnen van wijken zonder programma waaieren na de start uit naar beide kanten; "
    "die van het gebied ligt aan de onderkant van de waaier, niet erbuiten.",
)

# %% [markdown]
# ## Zonder één wijk, en met een eerdere start
#
# Twee proeven. *Zonder één donor*: hangt de schatting aan één wijk? *Een start die er niet was*: wat vindt dezelfde
# berekening als de start een tot zeven jaar eerder wordt gelegd, toen er nog geen programma was?

# %% tags=["leave-one-out"]
weg = impact.leave_one_out(panel, "synthetic-control", target="unit")
print(weg.summary())

# %% tags=["figure-leave-one-out"]
impact.picture(
    weg.plot.estimates(),
    "De schatting zonder telkens één wijk",
    f"Zonder welke wijk ook ligt de schatting tussen {weg.low[0]:.2f} en {weg.high[0]:.2f} procentpunt.",
)

# %% tags=["backdate"]
eerder = impact.backdate(panel, "synthetic-control", target="unit")
eerder

# %% tags=["figure-backdate"]
impact.picture(
    eerder.plot.estimates(),
    "Uitslagen bij een start die er niet was",
    f"Zeven verzonnen starts geven uitslagen van {eerder.tidy()['estimate'].min():.2f} tot "
    f"{eerder.tidy()['estimate'].max():.2f} procentpunt, terwijl er toen geen programma was.",
)

# %% [markdown]
# Vergelijk: de schatting is ongeveer een half procentpunt, en bij een verzonnen start vindt dezelfde berekening
# uitslagen van die grootte of meer terwijl er niets gebeurde. De kleine p-waarde hierboven telt daar niet tegen op:
# zij vergelijkt verhoudingen waarvan de noemer door het nauwe passen bijna 0 is, en bij haar staat dat zij niet op
# maat is (`unsized`).

# %% [markdown]
# ## De waarheid, die u anders nooit ziet
#
# Omdat de gegevens verzonnen zijn, is bekend wat het programma in dit gebied deed.

# %% tags=["truth"]
waarheid = pd.read_parquet(project / "data_synthetic" / "land-truth.parquet")
display(waarheid.query("area == @GEBIED and indicator == 'uitkering' and '2021' <= period <= '2024'"))

# %% [markdown]
# ## Wat u hieruit niet kunt opmaken
#
# - Dat het programma hier iets deed, of niets deed. Eén gebied alleen zegt daar zelden iets over.
# - Dat dit gebied het beter of slechter doet dan een ander. Daarvoor zijn de uitslagen per gebied te onzeker;
#   `impact` maakt er geen rangorde van.
# - Wat wel kan: alle gebieden samen (notebook 01 en 04), met een interval dat op vele gemeenten rust.
